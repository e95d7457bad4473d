// What the tests look at, in one bundle.
export * from '../src/lib/format';
export { SseParser } from '../src/lib/sse';
export { href, parse } from '../src/lib/router';
export { inline, parseMarkdown, plainText, safeHref } from '../src/lib/markdown';
export { marked } from '../src/lib/marks';
export { sentencesOf } from '../src/lib/sentences';
export { Columns } from '../src/lib/live';
export { ApiError, errorOf, retryAt } from '../src/lib/api';
export { asMarkdown, textOf } from '../src/lib/chat';
export { Markdown } from '../src/ui/markdown';
