/** Frames kept in memory up to a budget; the least recently used goes first. */

export class Cache<K, V extends { bytes: number }> {
  readonly #entries = new Map<K, V>();
  #bytes = 0;

  constructor(public budget: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Returns the entry and counts it as just used. */
  get(key: K): V | undefined {
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
    }
    return found;
  }

  /** Keeps an entry; returns the keys that had to go for it. One entry stays, however large. */
  set(key: K, value: V): K[] {
    this.delete(key);
    this.#entries.set(key, value);
    this.#bytes += value.bytes;
    return this.shrink(this.budget);
  }

  /** Takes another budget; returns the keys that had to go for it. */
  shrink(budget: number): K[] {
    this.budget = budget;
    const gone: K[] = [];
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.budget || this.#entries.size === 1) break;
      this.delete(oldest);
      gone.push(oldest);
    }
    return gone;
  }

  delete(key: K): void {
    const found = this.#entries.get(key);
    if (found === undefined) return;
    this.#bytes -= found.bytes;
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
