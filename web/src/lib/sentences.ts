// Whole sentences of a text that grows, for live regions: what is read out is never half a word.

/** The sentences between `from` and the last sentence end, and where that is. */
export function sentencesOf(text: string, from: number): [string, number] {
  const ends = /[.!?…](?=["')\]]?\s)|\n/g;
  ends.lastIndex = from;
  let upTo = from;
  for (let m = ends.exec(text); m; m = ends.exec(text)) upTo = m.index + m[0].length;
  return [text.slice(from, upTo).replace(/[*_`#>|]/g, '').trim(), upTo];
}
