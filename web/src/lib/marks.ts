// Where the words of a question stand in a passage, for highlighting. Pure.

export interface Piece { text: string; hit: boolean }

/** Words too common to be worth a mark. */
const COMMON = new Set(('a an and are as at be by do for from has have how i in is it of on or that the ' +
  'their this to was were what when where which who why will with you your').split(' '));

/** The stem, roughly: enough that "watering" marks "water". */
function stem(word: string): string {
  const bare = word.toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '');
  if (bare.length <= 4) return bare.replace(/e?s?$/, '');
  return bare.replace(/(ings?|edly|ed|es|s|ly|ations?)$/, '').replace(/e$/, '');
}

export function marked(text: string, query: string, more: string[] = []): Piece[] {
  const words = `${query} ${more.join(' ')}`.match(/[\p{L}\p{N}]+/gu) ?? [];
  const stems = new Set(words.filter((word) => !COMMON.has(word.toLowerCase())).map(stem).filter((s) => s.length > 1));
  const out: Piece[] = [];
  const put = (piece: string, hit: boolean) => {
    const last = out[out.length - 1];
    if (last && last.hit === hit) last.text += piece;
    else if (piece) out.push({ text: piece, hit });
  };
  for (const [piece] of text.matchAll(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu)) put(piece, stems.has(stem(piece)));
  return out;
}
