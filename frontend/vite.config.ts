import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { groups } from './chunks.ts';
import { licences } from './licences.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const notices = licences();

/** The bundle is built into the Python package; the wheel carries it, the repository never does. */
export default defineConfig({
  plugins: [svelte(), notices.pages],
  worker: { plugins: () => [notices.workers()] },
  resolve: {
    alias: {
      $viewer: here('./viewer'),
      fs: here('./viewer/decoding/no-system.ts'), // OpenJPH names them for Node alone
      path: here('./viewer/decoding/no-system.ts'),
    },
  },
  build: {
    outDir: '../src/radrelay/web/static',
    emptyOutDir: true,
    manifest: 'manifest.json', // from it the server names what a page will need
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: { checks: { bundlerTimings: false }, output: { codeSplitting: { groups } } },
  },
  server: {
    proxy: { '/api': { target: process.env['RADRELAY_SERVER'] ?? 'http://127.0.0.1:8080' } },
  },
});
