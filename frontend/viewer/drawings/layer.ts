/** What other systems drew, over a pane's picture. Asks for its pictures by place; what is shown is told anew each time. */

import type { Point } from '../geometry';
import type { Layer, Seen } from '../layer';
import { dot, minus, type Plane } from '../planes';
import { liesIn, names, type DrawingContent, type DrawnArea, type DrawnShape, type Target } from './content';
import type { MaskStore, PlacedMask } from './masks';
import { Body, type Section } from './sections';
import { shade } from './shutters';
import { drawSection, drawShape, outlineOf, stroke, wayOf, write, type Way } from './strokes';

/** A group as the reader has it: shown or not, in which colour. */
export interface GroupLook {
  shown: boolean;
  colour: string;
}

/** A drawing that is shown. */
export interface ShownDrawing {
  content: DrawingContent;
  looks: ReadonlyMap<number, GroupLook>;
  masks: MaskStore | null;
  /** Its images are shown as the presentation state says, shutters included. */
  applied: boolean;
  /** Lines for a group's label. */
  words: (group: number) => readonly string[];
}

export interface Overlaid {
  drawings: readonly ShownDrawing[];
  /** How much masks cover, 0 to 1. */
  opacity: number;
  labels: boolean;
}

const NEAR = 0.5; // mm, of a picture without neighbours
const KEPT_PICTURES = 64;
const OTHER = '#ffb000';

type Met = readonly (readonly [Body, readonly Section[]])[];

interface Bodies {
  bodies: readonly Body[];
  /** By picture, never by place: the stack grows and is sorted anew while objects arrive. */
  sections: Map<string, { near: number; met: Met }>;
}

export class DrawingsLayer implements Layer {
  readonly #bodies = new WeakMap<DrawingContent, Bodies>();

  /** `targetAt` and `planeAt` tell of a place of the stack; `shown` what lies over a picture now. */
  constructor(
    readonly targetAt: (place: number) => Target | null,
    readonly planeAt: (place: number) => Plane | null,
    readonly shown: (target: Target) => Overlaid,
  ) {}

  draw(context: CanvasRenderingContext2D, seen: Seen): void {
    const target = this.targetAt(seen.place);
    if (!target) return;
    const { drawings, opacity, labels } = this.shown(target);
    for (const drawing of drawings) {
      if (drawing.applied) shade(context, drawing, target, seen);
      this.#drawMasks(context, drawing, target, seen, opacity);
      this.#drawFlat(context, drawing, target, seen, opacity, labels);
      this.#drawBodies(context, drawing, target, seen, labels);
    }
  }

  #drawMasks(context: CanvasRenderingContext2D, drawing: ShownDrawing, target: Target, seen: Seen, opacity: number): void {
    const { masks, looks } = drawing;
    if (!masks) return;
    const { rows, columns } = seen.frame.facts;
    for (const placed of masks.on(target, this.planeAt(seen.place), columns, rows)) {
      for (const group of masks.groupsIn(placed.frame)) {
        const look = looks.get(group);
        const path = look?.shown ? masks.outline(placed.frame, group) : null;
        if (look && path) drawMask(context, path, placed, seen, look.colour, drawing.content.kind === 'overlay' ? 1 : opacity);
      }
    }
  }

  #drawFlat(context: CanvasRenderingContext2D, drawing: ShownDrawing, target: Target, seen: Seen, opacity: number, labels: boolean): void {
    const { content, looks } = drawing;
    const way = wayOf(seen, areaFor(content, target));
    const labelled = new Set<number>();
    for (const shape of content.shapes) {
      const look = looks.get(shape.group);
      if (!look?.shown || shape.unit === 'patient' || shape.unit === 'matrix') continue;
      if (!names(content, shape.on ?? content.of, target)) continue;
      drawShape(context, shape, way, shape.colour ?? look.colour, opacity);
      if (labels && shape.kind !== 'text' && !labelled.has(shape.group)) label(context, drawing, shape, way, look.colour);
      labelled.add(shape.group);
    }
  }

  #drawBodies(context: CanvasRenderingContext2D, drawing: ShownDrawing, target: Target, seen: Seen, labels: boolean): void {
    const labelled = new Set<number>();
    for (const [{ shape }, sections] of this.#sections(drawing.content, target, seen.place)) {
      const look = drawing.looks.get(shape.group);
      if (!look?.shown) continue;
      for (const section of sections) drawSection(context, section, seen, look.colour);
      const first = sections[0]?.points;
      if (labels && first && !labelled.has(shape.group)) put(context, drawing, shape.group, first.map(seen.toPane), look.colour);
      labelled.add(shape.group);
    }
  }

  /** What the plane of a picture meets, found once as long as its neighbours stay. */
  #sections(content: DrawingContent, target: Target, place: number): Met {
    let found = this.#bodies.get(content);
    if (!found) {
      const bodies = content.shapes.filter(({ unit }) => unit === 'patient').map((shape) => new Body(shape));
      this.#bodies.set(content, (found = { bodies, sections: new Map() }));
    }
    const plane = this.planeAt(place);
    if (!plane || found.bodies.length === 0) return [];
    const key = `${target.series} ${target.instance} ${target.frame}`;
    const near = this.#near(place, plane);
    const known = found.sections.get(key);
    if (known?.near === near) return known.met;
    const met = found.bodies
      .filter(({ shape }) => liesIn(content, shape.space, shape.on, target.series))
      .map((body) => [body, body.on(plane, near)] as const)
      .filter(([, sections]) => sections.length > 0);
    if (found.sections.size >= KEPT_PICTURES) found.sections.clear();
    found.sections.set(key, { near, met });
    return met;
  }

  /** Half the way to the nearer of the neighbouring planes: so an outline lies on one picture, not on several. */
  #near(place: number, plane: Plane): number {
    const ways = [this.planeAt(place - 1), this.planeAt(place + 1)].map((other) =>
      other ? Math.abs(dot(minus(other.position, plane.position), plane.normal)) : 0,
    );
    const [nearer] = ways.filter((way) => way > 1e-3).sort((one, other) => one - other);
    return nearer === undefined ? NEAR : nearer / 2 + 1e-4;
  }
}

function areaFor(content: DrawingContent, target: Target): DrawnArea | null {
  return content.presentation?.areas.find(({ on }) => on === null || names(content, on, target)) ?? null;
}

function drawMask(context: CanvasRenderingContext2D, path: Path2D, { placing }: PlacedMask, seen: Seen, colour: string, opacity: number): void {
  const [origin, right, down] = [{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 0, y: 1 }].map(seen.toPane) as [Point, Point, Point];
  const toPane = new DOMMatrix([right.x - origin.x, right.y - origin.y, down.x - origin.x, down.y - origin.y, origin.x, origin.y]);
  const { a, b, c, d, e, f } = placing;
  const here = new Path2D();
  here.addPath(path, toPane.multiply(new DOMMatrix([a, b, c, d, e, f])));
  context.save();
  context.globalAlpha = opacity;
  context.fillStyle = colour;
  context.fill(here, 'evenodd');
  context.restore();
  if (opacity < 1) stroke(context, here, colour, 1.2);
}

function label(context: CanvasRenderingContext2D, drawing: ShownDrawing, shape: DrawnShape, way: Way, colour: string): void {
  put(context, drawing, shape.group, outlineOf(shape).map(([x, y]) => way(shape.unit, x, y)), colour);
}

/** Writes a group's label beside the rightmost point. */
function put(context: CanvasRenderingContext2D, drawing: ShownDrawing, group: number, points: readonly Point[], colour: string): void {
  const words = drawing.words(group);
  const [first] = points;
  if (words.length === 0 || !first) return;
  const beside = points.reduce((most, point) => (point.x > most.x ? point : most), first);
  write(context, words, { x: beside.x + 8, y: beside.y - 6 }, colour || OTHER);
}
