/** What a person dropped or picked, file by file with its relative path; folders are walked lazily. */

export interface PickedFile {
  path: string;
  file: File;
}

export interface Picked {
  name: string;
  files: AsyncIterable<PickedFile>;
  /** So many stand beside the one that it is named by; what one folder holds is not counted. */
  more?: number;
  /** The file, where it is one and not in a folder: it can be looked into without taking it from the others. */
  alone?: () => Promise<File>;
}

const JUNK = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*|__MACOSX\/.*)$/i;

function readBatch(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

function readFile(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function* walk(entry: FileSystemEntry): AsyncGenerator<PickedFile> {
  const path = entry.fullPath.replace(/^\//, '');
  if (JUNK.test(path)) return;
  if (entry.isFile) {
    yield { path, file: await readFile(entry as FileSystemFileEntry) };
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const batch = await readBatch(reader); // browsers hand out a hundred at a time
    if (batch.length === 0) return;
    for (const child of batch) yield* walk(child);
  }
}

async function* walkAll(entries: FileSystemEntry[]): AsyncGenerator<PickedFile> {
  for (const entry of entries) yield* walk(entry);
}

async function* listed(files: File[]): AsyncGenerator<PickedFile> {
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    if (!JUNK.test(path)) yield { path, file };
  }
}

/** Reads a drop; must be called inside the event, because the browser forgets its items after it. */
export function fromDrop(transfer: DataTransfer): Picked | null {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null).filter((entry) => entry !== null);
  const [first] = entries;
  if (first) return { name: first.name, files: walkAll(entries), more: entries.length - 1, ...(entries.length === 1 && first.isFile && { alone: () => readFile(first as FileSystemFileEntry) }) };
  return fromFiles(transfer.files);
}

export function fromFiles(list: FileList | null): Picked | null {
  const files = [...(list ?? [])];
  const first = files[0];
  if (!first) return null;
  const more = first.webkitRelativePath ? 0 : files.length - 1;
  return { name: first.webkitRelativePath.split('/')[0] || first.name, files: listed(files), more, ...(files.length === 1 && !first.webkitRelativePath && { alone: () => Promise.resolve(first) }) };
}

async function* inTurn(...all: readonly Picked[]): AsyncGenerator<PickedFile> {
  for (const { files } of all) yield* files;
}

/** Both, as if they had been chosen at once. */
export const together = (one: Picked, other: Picked): Picked => ({ name: one.name, files: inTurn(one, other), more: (one.more ?? 0) + 1 + (other.more ?? 0) });

export function carriesFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes('Files') ?? false;
}
