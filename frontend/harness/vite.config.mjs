import { fileURLToPath } from 'node:url';
import { mergeConfig } from 'vite';
import release from '../vite.config.ts';

/** Builds the parts' own page, where `RADRELAY_HARNESS` says. */
export default mergeConfig(release, {
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  build: { outDir: process.env['RADRELAY_HARNESS'] ?? 'dist', emptyOutDir: true },
});
