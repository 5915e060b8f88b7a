/**
 * What tells pictures of one series apart that lie at the same place of the patient: their kind (magnitude and phase,
 * water and fat), phase, echo, b-value. As the server tells it of instances and frames.
 */

export interface Telling {
  /** What an MR picture is; empty if nothing says. */
  kinds: readonly string[];
  /** Image Type from its third value on. */
  type: string;
  /** Which point in time, counted. */
  temporal: number | null;
  /** ms. */
  echo: number | null;
  echoNumber: number | null;
  /** s/mm². */
  b: number | null;
  /** ms after the heart's R wave. */
  trigger: number | null;
}

export type Aspect = keyof Telling;

const ASPECTS: readonly Aspect[] = ['kinds', 'type', 'temporal', 'echo', 'echoNumber', 'b', 'trigger'];
/** What need not be said of a picture where the other aspect is. */
const SAID_BY: readonly (readonly [Aspect, Aspect])[] = [['type', 'kinds'], ['trigger', 'temporal'], ['echoNumber', 'echo']];

const valueOf = (telling: Telling, aspect: Aspect): string => String(telling[aspect]);
export const keyOf = (telling: Telling, aspects: readonly Aspect[]): string => aspects.map((aspect) => valueOf(telling, aspect)).join('\u0000');

/** Whether not all are alike: mostly they are, and then where they lie need not be looked at. */
export function differ(all: readonly (Telling | null)[]): boolean {
  const keys = new Set<string>();
  for (const one of all) if (one && keys.add(keyOf(one, ASPECTS)).size > 1) return true;
  return false;
}

/** By what those differ that lie at one place, where there are several. */
export function aspectsApart(places: Iterable<readonly Telling[]>): Aspect[] {
  const found = new Set<Aspect>();
  for (const [first, ...others] of places) {
    if (!first) continue;
    for (const aspect of ASPECTS) if (others.some((other) => valueOf(other, aspect) !== valueOf(first, aspect))) found.add(aspect);
  }
  for (const [needless, aspect] of SAID_BY) if (found.has(aspect)) found.delete(needless);
  return ASPECTS.filter((aspect) => found.has(aspect));
}

/** What all have in common; nothing where they differ. */
export function commonOf(all: readonly Telling[]): Telling | null {
  const [first] = all;
  if (!first) return null;
  const same = (aspect: Aspect): boolean => all.every((one) => valueOf(one, aspect) === valueOf(first, aspect));
  return {
    kinds: same('kinds') ? first.kinds : [], type: same('type') ? first.type : '', temporal: same('temporal') ? first.temporal : null,
    echo: same('echo') ? first.echo : null, echoNumber: same('echoNumber') ? first.echoNumber : null,
    b: same('b') ? first.b : null, trigger: same('trigger') ? first.trigger : null,
  };
}

/** Without the kinds that all have: they tell nothing apart. */
export function withoutShared(all: readonly Telling[]): Telling[] {
  const [first] = all;
  const shared = new Set(first?.kinds.filter((kind) => all.every(({ kinds }) => kinds.includes(kind))));
  return all.map((one) => ({ ...one, kinds: one.kinds.filter((kind) => !shared.has(kind)) }));
}

/** A picture of a stack: what tells it apart, and where it lies, as a text that is the same at the same place. */
export interface Told {
  telling: Telling;
  at: string;
}

/** Pictures of a stack that belong together among others at the same places. */
export interface Part {
  telling: Telling;
  /** In the order of the stack. */
  places: number[];
}

export class Parts {
  readonly apart: readonly Aspect[];
  /** In the order in which the stack comes to them; none where no two pictures lie at one place and differ. */
  readonly all: readonly Part[];
  readonly #partOf = new Map<number, Part>();
  readonly #told: readonly (Told | null)[];

  /** `told`: by place of the stack; null where nothing says where it lies. */
  constructor(told: readonly (Told | null)[] = []) {
    this.#told = told;
    const here = new Map<string, Telling[]>();
    for (const one of told) if (one) here.set(one.at, [...(here.get(one.at) ?? []), one.telling]);
    this.apart = aspectsApart(here.values());
    this.all = this.apart.length > 0 ? this.#parted() : [];
  }

  of(place: number): Part | undefined {
    return this.#partOf.get(place);
  }

  /** The place of a part that lies where another one does; else the part's first. */
  counterpart(part: Part, place: number): number {
    const at = this.#told[place]?.at;
    return part.places.find((one) => this.#told[one]?.at === at) ?? part.places[0] ?? place;
  }

  #parted(): Part[] {
    const found = new Map<string, Part>();
    for (const [place, one] of this.#told.entries()) {
      if (!one) continue;
      const key = keyOf(one.telling, this.apart);
      const part = found.get(key) ?? { telling: one.telling, places: [] };
      part.places.push(place);
      found.set(key, part);
      this.#partOf.set(place, part);
    }
    const parts = [...found.values()];
    const told = withoutShared(parts.map(({ telling }) => telling));
    parts.forEach((part, at) => (part.telling = told[at] ?? part.telling));
    return parts;
  }
}
