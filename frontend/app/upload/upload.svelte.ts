/** Parcels being uploaded by this page: several files at once, broken lines waited out, refusals kept as findings. */

import { ApiProblem } from '../api/client';
import { parcels as api } from '../api/endpoints';
import type { Finding, Parcel } from '../api/types';
import { tCode } from '../i18n/index.svelte';
import { onLive } from '../state/live.svelte';
import { problemText } from '../state/notices.svelte';
import { session } from '../state/session.svelte';
import type { Picked, PickedFile } from './entries';
import { put } from './put';

const AT_ONCE = 4;
const POLL_MS = 1_500;
const LONGEST_WAIT_MS = 15_000;
const MOST_TRIES = 40;
const MOST_NAMED = 10_000;
const LONGEST_NAME = 1024;

export type UploadState = 'sending' | 'waiting' | 'asking' | 'working' | 'done' | 'failed' | 'cancelled';

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isPassing(cause: unknown): boolean {
  return cause instanceof ApiProblem && [0, 401, 408, 429, 500, 502, 503, 504].includes(cause.status);
}

/** A file's place in an upload that announced itself: the upload's key, and the file's number. */
export interface Place {
  upload: string;
  number: number;
}

/** Where files are brought to: a parcel, or an import whose own page tells what becomes of them (no `read`). */
export interface Way {
  create: (name: string) => Promise<{ id: string }>;
  /** Says what is to come, before anything does, under a key that the same files have again. */
  announce?: (id: string, key: string, files: number, bytes: number) => Promise<unknown>;
  fileUrl: (id: string, path: string, place?: Place) => string;
  done: (id: string, lacking: readonly string[], upload: string) => Promise<unknown>;
  read: ((id: string) => Promise<Parcel>) | null;
}

const toParcel: Way = { ...api, create: (name) => api.create(name, null), done: (id) => api.done(id) };

/** What a list of files is known again by: their paths, sizes and times. */
async function keyOf(files: readonly PickedFile[]): Promise<string> {
  const told = JSON.stringify(files.map(({ path, file }) => [path, file.size, file.lastModified]));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(told));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function* inTurn(files: readonly PickedFile[]): AsyncGenerator<PickedFile> {
  yield* files;
}

export class Upload {
  readonly name: string;
  state: UploadState = $state('sending');
  found = $state(0);
  foundBytes = $state(0);
  allFound = $state(false);
  sent = $state(0);
  sentBytes = $state(0);
  problem = $state('');
  /** Files that this side could not bring over. */
  unsent: Finding[] = $state.raw([]);
  /** The parcel as the server sees it. */
  parcel: Parcel | null = $state.raw(null);

  readonly #refused = new Map<string, PickedFile>();
  #files: AsyncIterator<PickedFile>;
  readonly #stop = new AbortController();
  readonly #way: Way;
  #id = $state('');
  /** What it announced itself by, and each file's number there. */
  #key = '';
  #numbers = new Map<PickedFile, number>();

  constructor(picked: Picked, way: Way = toParcel) {
    this.name = picked.name;
    this.#way = way;
    this.#files = picked.files[Symbol.asyncIterator]();
    void this.#run();
  }

  /** The parcel or import that it goes to; empty until that is there. */
  get id(): string {
    return this.#id;
  }

  /** It goes to an import, whose page tells of it. */
  get isOfImport(): boolean {
    return this.#way.read === null;
  }

  get isOver(): boolean {
    return this.state === 'done' || this.state === 'failed' || this.state === 'cancelled';
  }

  get findings(): Finding[] {
    return [...this.unsent, ...(this.parcel?.findings ?? [])];
  }

  cancel(): void {
    if (this.isOver) return;
    this.state = 'cancelled';
    this.#stop.abort();
    const { announce } = this.#way;
    // of what was given up before any of it came nothing lacks; where this is not heard, the check tells of it
    if (announce && this.#key && this.sent === 0) announce(this.#id, this.#key, 0, 0).catch(() => undefined);
  }

  async #run(): Promise<void> {
    await this.#guarded(async () => {
      this.#id = (await this.#patiently(() => this.#way.create(this.name))).id;
      const { announce } = this.#way;
      if (announce) await this.#announce(announce);
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.#work()));
      await this.#close();
    });
  }

  /** Looks at all files that there are, and says so before the first is sent: the page may be gone before the last. */
  async #announce(announce: NonNullable<Way['announce']>): Promise<void> {
    const files: PickedFile[] = [];
    for (let next = await this.#files.next(); !next.done && !this.#stop.signal.aborted; next = await this.#files.next()) {
      files.push(next.value);
      this.found += 1;
      this.foundBytes += next.value.file.size;
    }
    if (this.#stop.signal.aborted) return;
    files.sort((one, other) => (one.path < other.path ? -1 : Number(one.path > other.path)));
    this.#numbers = new Map(files.map((file, number) => [file, number]));
    this.#key = await keyOf(files);
    await this.#patiently(() => announce(this.#id, this.#key, files.length, this.foundBytes));
    this.#files = inTurn(files);
    this.allFound = true;
  }

  #urlOf(picked: PickedFile): string {
    const number = this.#numbers.get(picked);
    return this.#way.fileUrl(this.#id, picked.path, number === undefined ? undefined : { upload: this.#key, number });
  }

  /** Brings files again that were refused: these, or all. */
  async again(paths: readonly string[] = [...this.#refused.keys()]): Promise<void> {
    if (this.state !== 'asking') return;
    const files = paths.flatMap((path) => this.#refused.get(path) ?? []);
    this.state = 'sending';
    await this.#guarded(async () => {
      for (const one of files) {
        this.#refused.delete(one.path);
        this.unsent = this.unsent.filter(({ file_name: name }) => name !== one.path);
        this.sentBytes -= one.file.size;
        await this.#send(one);
      }
      await this.#close();
    });
  }

  /** Goes on without what was refused; the import tells of it. */
  async goOn(): Promise<void> {
    if (this.state !== 'asking') return;
    this.state = 'sending';
    await this.#guarded(() => this.#end());
  }

  /** Says that no more follow; of an import only once a person has decided what becomes of those that were refused. */
  async #close(): Promise<void> {
    if (!this.isOfImport) return this.#end(); // what came of a parcel stays, cancelled or not
    if (this.state === 'cancelled') return;
    if (this.unsent.length > 0) this.state = 'asking';
    else await this.#end();
  }

  async #end(): Promise<void> {
    await this.#patiently(() => this.#way.done(this.#id, this.#lacking(), this.#key));
    if (this.state === 'cancelled') return;
    const { read } = this.#way;
    this.state = read ? 'working' : 'done';
    if (read) await this.#follow(read);
  }

  /** What is named as lacking, as far as names are taken; of the rest the number tells. */
  #lacking(): string[] {
    return this.unsent.slice(0, MOST_NAMED).map(({ file_name: name }) => name.slice(0, LONGEST_NAME));
  }

  async #guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (cause) {
      if (this.state === 'cancelled') return;
      this.state = 'failed';
      this.problem = problemText(cause);
      this.#stop.abort();
    }
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const next = await this.#files.next();
      if (next.done) {
        this.allFound = true;
        return;
      }
      if (!this.allFound) {
        this.found += 1;
        this.foundBytes += next.value.file.size;
      }
      await this.#send(next.value);
    }
  }

  async #send(picked: PickedFile): Promise<void> {
    const { path, file } = picked;
    let counted = 0;
    const count = (bytes: number): void => {
      this.sentBytes += Math.min(bytes, file.size) - counted;
      counted = Math.min(bytes, file.size);
    };
    try {
      await this.#patiently(() => put(this.#urlOf(picked), file, count, this.#stop.signal));
      this.sent += 1;
      count(file.size);
    } catch (cause) {
      if (this.#stop.signal.aborted) return;
      if (cause instanceof ApiProblem && cause.status === 507 && !this.isOfImport) throw cause;
      count(file.size);
      const code = cause instanceof ApiProblem ? cause.code : 'unreadable';
      if (this.isOfImport) this.#refused.set(path, picked);
      this.unsent = [...this.unsent, { file_name: path, code, text: problemText(cause) }];
    }
  }

  /** Does it again while the line is broken, the server restarts or the login is over. */
  async #patiently<T>(action: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        const result = await action();
        if (this.state === 'waiting') this.state = 'sending';
        return result;
      } catch (cause) {
        if (!isPassing(cause) || tries >= MOST_TRIES || this.#stop.signal.aborted) throw cause;
        if (this.state === 'sending') this.state = 'waiting';
        await pause(Math.min(LONGEST_WAIT_MS, 500 * 2 ** Math.min(tries, 6)));
        while (session.ended && !this.#stop.signal.aborted) await pause(500);
      }
    }
  }

  async #follow(read: NonNullable<Way['read']>): Promise<void> {
    let wake: () => void = () => undefined;
    const leave = onLive('parcels', () => wake());
    try {
      for (;;) {
        this.parcel = await this.#patiently(() => read(this.#id));
        if (this.parcel.state === 'done' || this.parcel.state === 'failed') break;
        await Promise.race([pause(POLL_MS), new Promise<void>((resolve) => (wake = resolve))]);
      }
    } finally {
      leave();
    }
    this.state = this.parcel.state;
    this.problem = this.parcel.error && tCode('finding', this.parcel.error_code, this.parcel.error);
  }
}

const all = $state<{ uploads: Upload[] }>({ uploads: [] });

export function uploads(): Upload[] {
  return all.uploads;
}

export function runningUploads(): Upload[] {
  return all.uploads.filter((upload) => !upload.isOver);
}

export function startUpload(picked: Picked | null, way: Way = toParcel): boolean {
  if (!picked) return false;
  all.uploads = [new Upload(picked, way), ...all.uploads];
  return true;
}

let taker: ((picked: Picked) => void) | null = null;

/** Has a page take what is dropped on it, until it is left. Returns the way out. */
export function takeDrops(by: (picked: Picked) => void): () => void {
  taker = by;
  return () => {
    if (taker === by) taker = null;
  };
}

let holders = 0;

/** While something is open that takes drops itself, nothing is brought by them; returns how to end that. */
export function holdDrops(): () => void {
  holders += 1;
  return () => {
    holders -= 1;
  };
}

/** Takes a drop; says whether it is sent at once, which the page of uploads shows. */
export function dropped(picked: Picked | null): boolean {
  if (holders > 0) return false;
  if (!picked || !taker) return startUpload(picked);
  taker(picked);
  return false;
}

export function forgetUpload(upload: Upload): void {
  all.uploads = all.uploads.filter((other) => other !== upload);
}

addEventListener('beforeunload', (event) => {
  if (all.uploads.some((upload) => upload.state === 'sending' || upload.state === 'waiting' || upload.state === 'asking')) event.preventDefault();
});
