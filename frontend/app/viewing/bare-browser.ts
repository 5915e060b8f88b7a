/** A browser as far as a reading room asks for one, for tests: its answers are held back until a test gives them. */

export interface Held {
  url: string;
  answer: (body: unknown) => void;
  fail: () => void;
}

/** Puts it in place, before what is tested is imported. */
export function bareBrowser() {
  const held: Held[] = [];
  const nothing = (): void => undefined;
  const canvas = () => {
    const context = new Proxy({}, { get: () => nothing, set: () => true });
    return { width: 0, height: 0, clientWidth: 100, clientHeight: 100, style: {}, getContext: () => context, addEventListener: nothing, removeEventListener: nothing };
  };
  const made: ReturnType<typeof canvas>[] = [];
  const create = (): ReturnType<typeof canvas> => {
    made.push(canvas());
    return made.at(-1) as ReturnType<typeof canvas>;
  };
  class Channel {
    static all = new Set<Channel>();
    #listen: (event: { data: unknown }) => void = () => undefined;
    constructor(readonly name: string) {
      Channel.all.add(this);
    }
    addEventListener(_: string, listen: (event: { data: unknown }) => void): void {
      this.#listen = listen;
    }
    postMessage(data: unknown): void {
      for (const one of Channel.all) if (one !== this && one.name === this.name) one.#listen({ data });
    }
    close(): void {
      Channel.all.delete(this);
    }
  }
  class Nothing {
    observe(): void {}
    disconnect(): void {}
    postMessage(): void {}
    addEventListener(): void {}
    close(): void {}
  }
  const facts = { rows: 1, columns: 2, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2', window_center: 50, window_width: 100, voi_tables: ['HARDER'] };
  const pictures = { facts: facts as object, values: (_url: string) => new Uint8Array([0, 255]) };
  const due = new Map<number, () => void>();
  let last = 0;
  const place = { search: '', pathname: '/view' };
  Object.assign(globalThis, {
    ResizeObserver: Nothing, Worker: Nothing, BroadcastChannel: Channel, addEventListener: nothing, removeEventListener: nothing, devicePixelRatio: 1, location: place,
    ImageData: class { data: Uint8ClampedArray; constructor(width: number, height: number) { this.data = new Uint8ClampedArray(4 * width * height); } },
    requestAnimationFrame: (action: () => void) => (due.set((last += 1), action), last),
    cancelAnimationFrame: (id: number) => due.delete(id),
    history: { state: null, replaceState: () => undefined },
    matchMedia: () => ({ matches: false }),
    screen: { width: 1000, height: 1000 },
    document: { createElement: create, documentElement: {}, cookie: '' },
    fetch: (url: string) => new Promise((done) => {
      if (url.includes('/stream')) return done(new Response(pictures.values(url), { headers: { 'X-Radrelay-Frame': JSON.stringify(pictures.facts) } }));
      const answer = (body: unknown): void => done(new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } }));
      held.push({ url, answer, fail: () => done(new Response('{}', { status: 503 })) });
    }),
  });
  Object.defineProperty(globalThis, 'navigator', { value: { hardwareConcurrency: 2, language: 'en', languages: ['en'] }, configurable: true });
  return { held, create, made, pictures, paint: () => [...due].forEach(([id, action]) => (due.delete(id), action())) };
}
