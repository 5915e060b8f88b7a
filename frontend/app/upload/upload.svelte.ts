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

export type UploadState = 'sending' | 'waiting' | 'working' | 'done' | 'failed' | 'cancelled';

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isPassing(cause: unknown): boolean {
  return cause instanceof ApiProblem && [0, 401, 408, 429, 500, 502, 503, 504].includes(cause.status);
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

  readonly #files: AsyncIterator<PickedFile>;
  readonly #stop = new AbortController();
  #id = '';

  constructor(picked: Picked) {
    this.name = picked.name;
    this.#files = picked.files[Symbol.asyncIterator]();
    void this.#run();
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
  }

  async #run(): Promise<void> {
    try {
      this.#id = (await this.#patiently(() => api.create(this.name, null))).id;
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.#work()));
      await this.#patiently(() => api.done(this.#id));
      if (this.state === 'cancelled') return;
      this.state = 'working';
      await this.#follow();
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
      this.found += 1;
      this.foundBytes += next.value.file.size;
      await this.#send(next.value);
    }
  }

  async #send({ path, file }: PickedFile): Promise<void> {
    let counted = 0;
    const count = (bytes: number): void => {
      this.sentBytes += Math.min(bytes, file.size) - counted;
      counted = Math.min(bytes, file.size);
    };
    try {
      await this.#patiently(() => put(api.fileUrl(this.#id, path), file, count, this.#stop.signal));
      this.sent += 1;
      count(file.size);
    } catch (cause) {
      if (this.#stop.signal.aborted) return;
      if (cause instanceof ApiProblem && cause.status === 507) throw cause;
      count(file.size);
      const code = cause instanceof ApiProblem ? cause.code : 'unreadable';
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

  async #follow(): Promise<void> {
    let wake: () => void = () => undefined;
    const leave = onLive('parcels', () => wake());
    try {
      for (;;) {
        this.parcel = await this.#patiently(() => api.read(this.#id));
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

export function startUpload(picked: Picked | null): boolean {
  if (!picked) return false;
  all.uploads = [new Upload(picked), ...all.uploads];
  return true;
}

export function forgetUpload(upload: Upload): void {
  all.uploads = all.uploads.filter((other) => other !== upload);
}

addEventListener('beforeunload', (event) => {
  if (all.uploads.some((upload) => upload.state === 'sending' || upload.state === 'waiting')) event.preventDefault();
});
