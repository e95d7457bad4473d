// Vectors over HTTP: Mainstay or Chroma, the same rows, queries and truth. Prints one JSON object;
// bench/suites/_knowledge_vectors.py runs it; its arguments are --name value.
//   --phase insert  a thousand rows in each request, two requests at a time; rows a second
//   --phase search  one query after the other: p50 in ms and recall@10, all and a tenth of the rows
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const options = { server: 'mainstay', port: '', data: '', count: '100000', dimension: '384', queries: '100', peers: '', phase: 'search' };
for (let i = 2; i + 1 < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const count = Number(options.count), dimension = Number(options.dimension), asked = Number(options.queries);
// Two requests at a time is the best shape of both: neither gains from a third.
const BATCH = 1000, AT_ONCE = 2, NEAREST = 10;
const bytes = readFileSync(options.data);
const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const row = (n) => all.subarray(n * dimension, (n + 1) * dimension);
const query = (n) => row(count + n);
const in_tenth = (n) => Math.floor(n / BATCH) % 10 === 0;
const base64 = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** The ten nearest of each query by exact floats, kept beside the data. */
function truth() {
  const file = `${options.data}.truth.${asked}.json`;
  if (existsSync(file)) return JSON.parse(readFileSync(file));
  const found = [];
  for (let q = 0; q < asked; q += 1) {
    const of = query(q), scores = new Float64Array(count);
    for (let n = 0; n < count; n += 1) {
      let sum = 0;
      const at = n * dimension;
      for (let i = 0; i < dimension; i += 1) sum += of[i] * all[at + i];
      scores[n] = sum;
    }
    const best = (wanted) => {
      const top = [];
      for (let n = 0; n < count; n += 1) {
        if (!wanted(n) || (top.length === NEAREST && scores[n] <= scores[top[NEAREST - 1]])) continue;
        let i = top.length;
        while (i > 0 && scores[top[i - 1]] < scores[n]) i -= 1;
        top.splice(i, 0, n);
        if (top.length > NEAREST) top.pop();
      }
      return top;
    };
    found.push({ all: best(() => true), tenth: best(in_tenth) });
  }
  writeFileSync(file, JSON.stringify(found));
  return found;
}

function mainstay() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const post = (path, body) => new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: Number(options.port), path, method: 'POST', agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (reply) => {
      const pieces = [];
      reply.on('data', (piece) => pieces.push(piece));
      reply.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        if (reply.statusCode >= 300) reject(new Error(`${path}: ${reply.statusCode} ${text.slice(0, 300)}`));
        else resolve(JSON.parse(text));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
  return {
    async insert(from, to) {
      const passages = [];
      for (let n = from; n < to; n += 1) passages.push({ embedding: base64(row(n)) });
      const tags = in_tenth(from) ? ['tenth'] : [];
      const reply = await post('/v1/vectors', JSON.stringify({ collection: 'bench', model: 'bench', title: `rows ${from}`, tags, passages }));
      if (reply.passages !== to - from) throw new Error(`${reply.passages} of ${to - from} rows were stored`);
    },
    async search(values, tenth) {
      const body = { model: 'bench', collection: 'bench', embedding: base64(values), limit: NEAREST, ...(tenth ? { tags: ['tenth'] } : {}) };
      const reply = await post('/v1/search', JSON.stringify(body));
      // Passages without text begin at their place.
      return reply.data.map((hit) => Number(hit.title.split(' ')[1]) + hit.position.start);
    },
  };
}

async function chroma() {
  const { ChromaClient } = createRequire(options.peers + '/')('chromadb');
  const client = new ChromaClient({ host: '127.0.0.1', port: Number(options.port) });
  const collection = await client.getOrCreateCollection({ name: 'bench', embeddingFunction: null,
    configuration: { hnsw: { space: 'cosine' } } });
  return {
    async insert(from, to) {
      const ids = [], embeddings = [], metadatas = [];
      for (let n = from; n < to; n += 1) {
        ids.push(String(n));
        embeddings.push(Array.from(row(n)));
        metadatas.push({ tenth: in_tenth(n) });
      }
      await collection.add({ ids, embeddings, metadatas });
    },
    async search(values, tenth) {
      const reply = await collection.query({ queryEmbeddings: [Array.from(values)], nResults: NEAREST,
        include: ['distances'], ...(tenth ? { where: { tenth: true } } : {}) });
      return reply.ids[0].map(Number);
    },
  };
}

async function searches(server, right, tenth) {
  const took = [];
  let held = 0, wanted = 0;
  for (let q = 0; q < asked; q += 1) {
    const begin = performance.now();
    const found = await server.search(query(q), tenth);
    took.push(performance.now() - begin);
    const set = new Set(found);
    const exact = tenth ? right[q].tenth : right[q].all;
    wanted += exact.length;
    held += exact.filter((n) => set.has(n)).length;
  }
  return { p50_ms: median(took), recall: held / wanted };
}

const server = options.server === 'chroma' ? await chroma() : mainstay();
const out = {};
if (options.phase === 'insert') {
  const begin = performance.now();
  let next = 0;
  const insert = async () => {
    for (let n = next; n < count; n = next) {
      next += BATCH;
      await server.insert(n, Math.min(count, n + BATCH));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, insert));
  out.insert_s = count / ((performance.now() - begin) / 1000);
} else {
  const right = truth();
  for (let q = 0; q < 5; q += 1) await server.search(query(q), false);
  out.all = await searches(server, right, false);
  out.tenth = await searches(server, right, true);
}
console.log(JSON.stringify({ ...out, kept_off: 0 }));
process.exit(0);
