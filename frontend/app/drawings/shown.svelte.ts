/** One drawing as the reader has it: read when it is first shown, its groups switched and coloured one by one. */

import { SvelteMap } from 'svelte/reactivity';
import { drawings as api, type ListedDrawing } from '../api/drawings';
import { formatNumber } from '../i18n/index.svelte';
import { colourOf, type DrawingContent, type MeasuredValue, type ShapeGroup } from '$viewer/drawings/content';
import type { GroupLook, ShownDrawing } from '$viewer/drawings/layer';
import { MaskStore } from '$viewer/drawings/masks';

const LABELLED = new Set(['report']);
const VALUES_SAID = 4;
const UNITS: Readonly<Record<string, string>> = { mm2: 'mm²', cm2: 'cm²', mm3: 'mm³', cm3: 'cm³', deg: '°', '1': '', "[hnsf'U]": 'HU', '{SUVbw}g/ml': 'SUV' };

export function said({ name, value, unit, text }: MeasuredValue): string {
  const shown = value === null ? text : `${formatNumber(Number(value.toPrecision(4)), 3)} ${UNITS[unit] ?? unit}`.trim();
  return name ? `${name}: ${shown}` : shown;
}

export class OneDrawing {
  isShown = $state(false);
  /** Images look as a presentation state says. */
  isApplied = $state(false);
  content: DrawingContent | null = $state.raw(null);
  problem: unknown = $state.raw(undefined);
  isLoading = $state(false);
  readonly looks = new SvelteMap<number, GroupLook>();
  #masks: MaskStore | null = null;
  #reading: Promise<void> | null = null;

  /** `changed` is told when something came that is to be drawn. */
  constructor(
    readonly row: ListedDrawing,
    readonly changed: () => void,
    readonly instance = row.instance_id,
  ) {}

  get canBeShown(): boolean {
    return this.row.trouble === '' && this.row.kind !== null;
  }

  /** Masks that could not be had. */
  get masksProblem(): unknown {
    return this.#masks?.problem;
  }

  async show(shown: boolean): Promise<void> {
    this.isShown = shown;
    if (!shown) this.isApplied = false;
    if (shown) await this.read();
    this.changed();
  }

  /** Reads what it draws, once; whoever asks meanwhile waits for the same. */
  read(): Promise<void> {
    this.#masks?.retry();
    if (this.content || !this.canBeShown) return Promise.resolve();
    return (this.#reading ??= this.#read().finally(() => (this.#reading = null)));
  }

  async #read(): Promise<void> {
    this.isLoading = true;
    this.problem = undefined;
    try {
      const content = await api.read(this.instance);
      content.groups.forEach((group, at) => this.looks.set(group.number, { shown: true, colour: colourOf(group, at) }));
      if (content.masks) this.#masks = this.#store(content as DrawingContent & { masks: NonNullable<DrawingContent['masks']> });
      this.content = content;
    } catch (cause) {
      this.problem = cause;
    } finally {
      this.isLoading = false;
    }
    this.changed();
  }

  #store(content: DrawingContent & { masks: NonNullable<DrawingContent['masks']> }): MaskStore {
    return new MaskStore(content, (numbers) => api.masks(this.instance, numbers), this.changed);
  }

  setGroup(number: number, look: Partial<GroupLook>): void {
    const before = this.looks.get(number);
    if (before) this.looks.set(number, { ...before, ...look });
    this.changed();
  }

  setAll(shown: boolean): void {
    for (const [number, look] of this.looks) this.looks.set(number, { ...look, shown });
    this.changed();
  }

  /** For the layer; null while there is nothing to draw. */
  drawn(): ShownDrawing | null {
    if (!this.isShown || !this.content) return null;
    return { content: this.content, looks: this.looks, masks: this.#masks, applied: this.isApplied, words: (group) => this.#words(group) };
  }

  #words(number: number): string[] {
    if (!this.content || !LABELLED.has(this.content.kind)) return [];
    const group = this.content.groups.find((one) => one.number === number);
    return group ? wordsOf(group) : [];
  }
}

function wordsOf(group: ShapeGroup): string[] {
  return [group.name, ...group.values.slice(0, VALUES_SAID).map(said)].filter(Boolean);
}
