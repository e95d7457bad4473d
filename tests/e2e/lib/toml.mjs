// Writes a settings tree as TOML: tables, arrays of tables, inline tables. Used by harness.mjs.

const inline = (value) => {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (value && typeof value === 'object') {
    return `{ ${Object.entries(value).map(([k, v]) => `${k} = ${inline(v)}`).join(', ')} }`;
  }
  return JSON.stringify(value);
};
const is_table = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
const is_tables = (v) => Array.isArray(v) && v.length > 0 && v.every(is_table);

function table(out, prefix, values) {
  const entries = Object.entries(values);
  const plain = entries.filter(([, v]) => !is_table(v) && !(prefix === '' && is_tables(v)));
  if (prefix && plain.length) out.push(`[${prefix}]`);
  for (const [key, value] of plain) out.push(`${key} = ${inline(value)}`);
  for (const [key, value] of entries.filter(([, v]) => is_table(v))) {
    table(out, prefix ? `${prefix}.${key}` : key, value);
  }
}

export function to_toml(config) {
  const out = [];
  table(out, '', config);
  for (const [key, list] of Object.entries(config).filter(([, v]) => is_tables(v))) {
    for (const entry of list) {
      out.push(`[[${key}]]`);
      for (const [k, v] of Object.entries(entry)) out.push(`${k} = ${inline(v)}`);
    }
  }
  return `${out.join('\n')}\n`;
}
