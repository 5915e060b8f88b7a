/** Files of an import on their way: they go to the import, and what becomes of them is told on its page. */

import { imports } from '../api/imports';
import type { Picked } from '../upload/entries';
import { startUpload } from '../upload/upload.svelte';

/** Brings files to an import that has begun. */
export function bring(picked: Picked, id: string): void {
  startUpload(picked, { create: () => Promise.resolve({ id }), announce: imports.announce, fileUrl: imports.fileUrl, done: imports.done, read: null });
}
