// Checks a value against a JSON schema of an OpenAPI 3.1 document: the keywords that such documents
// use. Used by the suite about /openapi.json.

const type_of = (v) => v === null ? 'null' : Array.isArray(v) ? 'array'
  : Number.isInteger(v) ? 'integer' : typeof v;

/** Problems of `value` as "path: what"; empty when it fits. `root` resolves $ref. */
export function problems(root, schema, value, path = '$') {
  if (schema === true || schema === undefined) return [];
  if (schema === false) return [`${path}: not allowed`];
  if (schema.$ref) return problems(root, resolve(root, schema.$ref), value, path);
  const out = [];
  const types = [].concat(schema.type ?? []);
  const is = type_of(value);
  if (types.length && !types.includes(is) && !(is === 'integer' && types.includes('number'))) {
    return [`${path}: ${is} instead of ${types.join('|')}`];
  }
  if (schema.enum && !schema.enum.some((e) => JSON.stringify(e) === JSON.stringify(value))) {
    out.push(`${path}: ${JSON.stringify(value)} is none of ${JSON.stringify(schema.enum)}`);
  }
  if ('const' in schema && schema.const !== value) out.push(`${path}: not ${JSON.stringify(schema.const)}`);
  if (schema.minimum !== undefined && value < schema.minimum) out.push(`${path}: below ${schema.minimum}`);
  if (schema.pattern && is === 'string' && !new RegExp(schema.pattern).test(value)) out.push(`${path}: pattern`);
  for (const one of schema.allOf ?? []) out.push(...problems(root, one, value, path));
  for (const any of [schema.anyOf, schema.oneOf].filter(Boolean)) {
    if (!any.some((one) => problems(root, one, value, path).length === 0)) out.push(`${path}: fits no alternative`);
  }
  if (is === 'object') out.push(...object_problems(root, schema, value, path));
  if (is === 'array' && schema.items) {
    value.forEach((v, i) => out.push(...problems(root, schema.items, v, `${path}[${i}]`)));
  }
  return out;
}

function object_problems(root, schema, value, path) {
  const known = schema.properties ?? {};
  const out = (schema.required ?? []).filter((k) => !(k in value)).map((k) => `${path}.${k}: missing`);
  for (const [key, v] of Object.entries(value)) {
    if (key in known) out.push(...problems(root, known[key], v, `${path}.${key}`));
    else if (schema.additionalProperties !== undefined) {
      out.push(...problems(root, schema.additionalProperties, v, `${path}.${key}`));
    }
  }
  return out;
}

export function resolve(root, ref) {
  const found = ref.replace(/^#\//, '').split('/').reduce((at, key) =>
    at?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], root);
  if (found === undefined) throw new Error(`dangling reference ${ref}`);
  return found;
}

/** Every $ref of a document resolves: throws at the first that does not. */
export function check_references(root, at = root) {
  if (at === null || typeof at !== 'object') return;
  if (typeof at.$ref === 'string') resolve(root, at.$ref);
  for (const value of Object.values(at)) check_references(root, value);
}

/** Members of `value` that its schema does not name, as paths. */
export function extras(root, schema, value, path = '$') {
  if (schema === undefined || schema === true || value === null || typeof value !== 'object') return [];
  if (schema.$ref) return extras(root, resolve(root, schema.$ref), value, path);
  const any = schema.anyOf ?? schema.oneOf;
  if (any) {
    const all = any.map((one) => extras(root, one, value, path));
    return all.reduce((best, one) => one.length < best.length ? one : best);
  }
  if (Array.isArray(value)) return value.flatMap((v, i) => extras(root, schema.items, v, `${path}[${i}]`));
  const known = { ...schema.properties };
  for (const one of schema.allOf ?? []) Object.assign(known, (one.$ref ? resolve(root, one.$ref) : one).properties);
  return Object.entries(value).flatMap(([key, v]) => {
    if (key in known) return extras(root, known[key], v, `${path}.${key}`);
    const more = schema.additionalProperties;
    if (more === true) return [];  // said to be open
    if (more && typeof more === 'object') return extras(root, more, v, `${path}.${key}`);
    return Object.keys(known).length || more === false ? [`${path}.${key}`] : [];  // an object said to be free
  });
}
