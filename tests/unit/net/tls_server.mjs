// A TLS server for client_tls.cpp: HTTP/2 and HTTP/1.1 on a free port, faults by path.
// Usage: node tls_server.mjs KEY CERT; prints the port, ends with its standard input.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file));
let sessions = 0;

function answer(req, res) {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('error', () => {});
  res.on('error', () => {});
  req.on('end', () => {
    const body = Buffer.concat(parts);
    switch (req.url) {
      case '/version':
        res.setHeader('x-auth', req.headers['x-test'] ?? 'none');
        return res.end(`${req.httpVersion} ${req.method} ${sessions}`);
      case '/moved':
        res.writeHead(302, { location: '/version' });
        return res.end('moved');
      case '/big': {
        const block = Buffer.alloc(1 << 20, 'x');
        let left = 20;
        const more = () => {
          while (left-- > 0) if (!res.write(block)) return void res.once('drain', more);
          res.end();
        };
        return more();
      }
      case '/cut':
        if (req.httpVersion === '1.1') res.writeHead(200, { 'content-length': 9 });
        res.write('abc');
        return setTimeout(() => (res.stream ? res.stream.close(2) : res.socket.destroy()), 20);
      case '/stall':
        return void res.write('abc');
      case '/late-end':
        res.write('abc');
        return void setTimeout(() => res.end(), 5);
      case '/hang':
        return undefined;
      case '/head':
        res.setHeader('x-long', 'x'.repeat(20000));
        return res.end('y');
      case '/gone':
        return void setTimeout(() => res.end('late'), 150);
      default:
        res.setHeader('x-content-type', req.headers['content-type'] ?? 'none');
        return res.end(body);
    }
  });
}

const server = createSecureServer({ key, cert, allowHTTP1: true }, answer);
server.on('secureConnection', () => (sessions += 1));
server.on('sessionError', () => {});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
