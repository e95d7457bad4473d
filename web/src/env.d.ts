declare module '*.css';
declare module '*.worklet.js' { const path: string; export default path; }
