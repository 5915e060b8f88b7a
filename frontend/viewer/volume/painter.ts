/** Draws planes, slabs and rays with WebGL 2, all panes on one canvas whose textures they share. */

import type { Window, WindowFunction } from '../grey';
import { displayed } from './display';
import { inUnits } from './halves';
import { cellsOf, type Grid } from './grid';
import type { Turn } from './projection';
import type { Cut, Kind, Scale, Voxels } from './reslice';
import { corners, rays, slices } from './shaders';
import type { Vec } from './vectors';

/** The card cannot do it, or not any more. */
export class NoGraphics extends Error {}

interface Body {
  grid: Grid;
  kind: Kind;
  scale: Scale;
  voxels: WebGLTexture;
  cells: WebGLTexture;
  cell: Vec;
}

export interface Tone {
  window: Window & { kind: WindowFunction };
  invert: boolean;
}

/** The second volume's colours over the first: from `least` on over `width` values, `share` of the colour. */
export interface Over {
  name: string;
  cut: Cut;
  /** 256 RGBA words. */
  colours: Uint32Array;
  least: number;
  width: number;
  share: number;
}

export interface Rays extends Turn {
  name: string;
  toPatient: readonly number[];
  stepMm: number;
  /** None: the largest value, by the tone. */
  transfer: Uint8Array | null;
  range: readonly [number, number];
  eye: Vec;
}

type Program = { program: WebGLProgram; places: Map<string, WebGLUniformLocation | null> };

const FORMATS: Readonly<Record<Kind, readonly ['R16I' | 'R16UI' | 'R8UI' | 'R32F', 'RED_INTEGER' | 'RED', 'SHORT' | 'UNSIGNED_SHORT' | 'UNSIGNED_BYTE' | 'FLOAT']>> = {
  int16: ['R16I', 'RED_INTEGER', 'SHORT'],
  uint16: ['R16UI', 'RED_INTEGER', 'UNSIGNED_SHORT'],
  uint8: ['R8UI', 'RED_INTEGER', 'UNSIGNED_BYTE'],
  float32: ['R32F', 'RED', 'FLOAT'],
};
const SPARE_UNIT = 7;
const TABLE_WIDTH = 1024;
const MOST_CELLS = TABLE_WIDTH * 64;
const KINDS: readonly WindowFunction[] = ['LINEAR', 'LINEAR_EXACT', 'SIGMOID'];
const MODES = ['max', 'min', 'mean'];

export class Painter {
  readonly canvas = document.createElement('canvas');
  readonly #gl: WebGL2RenderingContext;
  readonly #programs = new Map<string, Program>();
  readonly #bodies = new Map<string, Body>();
  readonly #copies = new Map<string, { texture: WebGLTexture; size: Vec; unit: number; whole: boolean }>();
  readonly #tables = new WeakMap<Uint8Array | Uint32Array, WebGLTexture>();
  #display: { words: Uint32Array; texture: WebGLTexture } | null = null;

  /** Throws NoGraphics. `onLost` and `onBack`: the context went, or came again with nothing of what was in it. */
  constructor(onLost: () => void, onBack: () => void) {
    const gl = this.canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false, powerPreference: 'high-performance' });
    if (!gl) throw new NoGraphics('no WebGL 2');
    this.#gl = gl;
    this.canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault(); // or it never comes back
      this.forget();
      onLost();
    });
    this.canvas.addEventListener('webglcontextrestored', onBack);
  }

  get lost(): boolean {
    return this.#gl.isContextLost();
  }

  /** The most voxels along an axis. */
  get most(): number {
    return this.#gl.getParameter(this.#gl.MAX_3D_TEXTURE_SIZE) as number;
  }

  /** The processor stands in for a card: what takes long is to be kept small. */
  get isSoftware(): boolean {
    const told = this.#gl.getExtension('WEBGL_debug_renderer_info');
    return told !== null && /swiftshader|llvmpipe|software|basic render/i.test(String(this.#gl.getParameter(told.UNMASKED_RENDERER_WEBGL)));
  }

  /** For tests: what a browser does when the card is taken away, and given back. */
  get loseContext(): { loseContext(): void; restoreContext(): void } | null {
    return this.#gl.getExtension('WEBGL_lose_context') as { loseContext(): void; restoreContext(): void } | null;
  }

  forget(): void {
    this.#display = null;
    this.#programs.clear();
    this.#bodies.clear();
    this.#copies.clear();
  }

  /** Makes room for a volume. Throws NoGraphics. */
  make(name: string, grid: Grid, kind: Kind, scale: Scale): void {
    this.drop(name);
    const gl = this.#gl;
    const [inner] = FORMATS[kind];
    if (Math.max(grid.columns, grid.rows, grid.slices) > this.most) throw new NoGraphics('larger than the card allows');
    while (gl.getError() !== gl.NO_ERROR && !gl.isContextLost()); // what was wrong before is not this one's
    const voxels = this.#texture(gl.TEXTURE_3D);
    gl.texStorage3D(gl.TEXTURE_3D, 1, gl[inner], grid.columns, grid.rows, grid.slices);
    const { width, table } = cellsOf(grid, MOST_CELLS);
    const cells = this.#texture(gl.TEXTURE_2D);
    const lines = Math.ceil(table.length / 4 / TABLE_WIDTH);
    const padded = new Float32Array(TABLE_WIDTH * lines * 4);
    padded.set(table);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, TABLE_WIDTH, lines, 0, gl.RGBA, gl.FLOAT, padded);
    if (gl.isContextLost() || gl.getError() !== gl.NO_ERROR) throw new NoGraphics('the card has no room for it');
    this.#bodies.set(name, { grid, kind, scale, voxels, cells, cell: [width, table.length / 4, TABLE_WIDTH] });
  }

  put(name: string, slice: number, data: Voxels): void {
    const body = this.#bodies.get(name);
    if (!body) return;
    const gl = this.#gl;
    const [, format, type] = FORMATS[body.kind];
    gl.activeTexture(gl.TEXTURE0 + SPARE_UNIT);
    gl.bindTexture(gl.TEXTURE_3D, body.voxels);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, slice, body.grid.columns, body.grid.rows, 1, gl[format], gl[type], data);
  }

  drop(name: string): void {
    const [body, copy] = [this.#bodies.get(name), this.#copies.get(name)];
    if (body) for (const texture of [body.voxels, body.cells]) this.#gl.deleteTexture(texture);
    if (copy) this.#gl.deleteTexture(copy.texture);
    this.#bodies.delete(name);
    this.#copies.delete(name);
  }

  /** Makes room for the copy that rays go through, of values in `unit`s. Throws NoGraphics. */
  makeCopy(name: string, size: Vec, unit: number): void {
    const gl = this.#gl;
    const old = this.#copies.get(name);
    if (old) gl.deleteTexture(old.texture);
    const texture = this.#texture(gl.TEXTURE_3D, gl.LINEAR);
    gl.texStorage3D(gl.TEXTURE_3D, 1, gl.R16F, ...size);
    if (gl.isContextLost() || gl.getError() === gl.OUT_OF_MEMORY) throw new NoGraphics('the card has no room for it');
    this.#copies.set(name, { texture, size, unit, whole: false });
  }

  putCopy(name: string, layer: number, data: Float32Array): void {
    const copy = this.#copies.get(name);
    if (!copy) return;
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + SPARE_UNIT);
    gl.bindTexture(gl.TEXTURE_3D, copy.texture);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, layer, copy.size[0], copy.size[1], 1, gl.RED, gl.FLOAT, inUnits(data, copy.unit));
  }

  markCopied(name: string): void {
    const copy = this.#copies.get(name);
    if (copy) copy.whole = true;
  }

  /** All layers of the copy are there. */
  hasCopy(name: string): boolean {
    return this.#copies.get(name)?.whole ?? false;
  }

  /** Draws a plane or slab on the lower left part of the canvas. */
  paint(name: string, cut: Cut, tone: Tone, over: Over | null): void {
    this.#stage(cut.width, cut.height);
    this.#slices(name, cut, tone, over, false);
  }

  /** Returns the values of a plane or slab, upper row first; NaN outside of the volume. */
  values(name: string, cut: Cut): Float32Array {
    const gl = this.#gl;
    const aside = gl.createFramebuffer(); // the canvas has no fourth byte
    const buffer = gl.createRenderbuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, cut.width, cut.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, aside);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, buffer);
    gl.viewport(0, 0, cut.width, cut.height);
    this.#slices(name, cut, { window: { center: 0, width: 1, kind: 'LINEAR' }, invert: false }, null, true);
    const bytes = new Uint8Array(cut.width * cut.height * 4);
    gl.readPixels(0, 0, cut.width, cut.height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(aside);
    gl.deleteRenderbuffer(buffer);
    const upward = new Float32Array(bytes.buffer);
    const out = new Float32Array(upward.length);
    for (let y = 0; y < cut.height; y += 1) {
      out.set(upward.subarray(y * cut.width, (y + 1) * cut.width), (cut.height - 1 - y) * cut.width);
    }
    return out;
  }

  cast(job: Rays, tone: Tone): void {
    const copy = this.#copies.get(job.name);
    if (!copy) return;
    const gl = this.#gl;
    this.#stage(job.width, job.height);
    const used = this.#use('rays', () => rays);
    this.#bind(used, 'body', gl.TEXTURE_3D, copy.texture, 0);
    this.#bind(used, 'transfer', gl.TEXTURE_2D, this.#table(job.transfer ?? BLANK), 1);
    const set = (at: string, ...values: number[]): void => this.#set(used, at, values);
    set('height', job.height);
    for (const key of ['from', 'across', 'down', 'way', 'least', 'most', 'eye'] as const) set(key, ...job[key]);
    set('texel', 1 / copy.size[0], 1 / copy.size[1], 1 / copy.size[2]);
    set('range', ...job.range);
    set('unit', copy.unit);
    set('stepMm', job.stepMm);
    gl.uniformMatrix3fv(this.#place(used, 'toPatient'), false, job.toPatient);
    gl.uniform1i(this.#place(used, 'kind'), job.transfer ? 0 : 1);
    this.#tone(used, tone);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** Waits until all is drawn; for measurements. */
  finish(): void {
    this.#gl.readPixels(0, 0, 1, 1, this.#gl.RGBA, this.#gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  close(): void {
    for (const name of [...this.#bodies.keys(), ...this.#copies.keys()]) this.drop(name);
    this.loseContext?.loseContext(); // a page has room for few contexts
  }

  #slices(name: string, cut: Cut, tone: Tone, over: Over | null, raw: boolean): void {
    const gl = this.#gl;
    const body = this.#bodies.get(name);
    const second = over && this.#bodies.get(over.name);
    if (!body) return;
    const kind = second ? second.kind : null;
    const used = this.#use(`${body.kind}/${kind}`, () => slices(body.kind, kind));
    this.#volume(used, 'A', body, cut, 0);
    if (over && second) {
      this.#volume(used, 'B', second, over.cut, 2);
      this.#bind(used, 'colours', gl.TEXTURE_2D, this.#table(over.colours), 4);
      this.#set(used, 'blend', [over.least, over.width, over.share]);
    }
    this.#set(used, 'height', [cut.height]);
    gl.uniform1i(this.#place(used, 'samples'), cut.samples);
    gl.uniform1i(this.#place(used, 'mode'), MODES.indexOf(cut.mode));
    gl.uniform1i(this.#place(used, 'raw'), Number(raw));
    this.#tone(used, tone);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #volume(used: Program, end: string, { grid, scale, voxels, cells, cell }: Body, { ways }: Cut, unit: number): void {
    const gl = this.#gl;
    const [before, behind] = grid.margins;
    this.#bind(used, `voxels${end}`, gl.TEXTURE_3D, voxels, unit);
    this.#bind(used, `cells${end}`, gl.TEXTURE_2D, cells, unit + 1);
    const uniforms = {
      size: [grid.columns, grid.rows, grid.slices], depth: [grid.even ?? 0, before, (grid.depths.at(-1) ?? 0) + behind],
      cell, scale: [scale.slope, scale.intercept], ...ways,
    };
    for (const [key, values] of Object.entries(uniforms)) this.#set(used, key + end, values);
  }

  #tone(used: Program, { window, invert }: Tone): void {
    this.#set(used, 'window', [window.center, window.width, KINDS.indexOf(window.kind)]);
    this.#set(used, 'invert', [Number(invert)]);
    this.#bind(used, 'display', this.#gl.TEXTURE_2D, this.#levels(), 5);
  }

  #stage(width: number, height: number): void {
    if (this.canvas.width < width) this.canvas.width = width;
    if (this.canvas.height < height) this.canvas.height = height;
    this.#gl.viewport(0, 0, width, height);
  }

  #texture(target: number, filter: number = this.#gl.NEAREST): WebGLTexture {
    const gl = this.#gl;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + SPARE_UNIT); // the others may be bound for a picture that is being made ready
    gl.bindTexture(target, texture);
    for (const key of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, key, filter);
    for (const key of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(target, key, gl.CLAMP_TO_EDGE);
    return texture;
  }

  /** The display's own correction, renewed when it changes. */
  #levels(): WebGLTexture {
    const words = displayed();
    const known = this.#display;
    if (known?.words.every((word, level) => word === words[level])) return known.texture;
    if (known) this.#gl.deleteTexture(known.texture);
    const texture = this.#table(words);
    this.#display = { words, texture };
    return texture;
  }

  #table(colours: Uint8Array | Uint32Array): WebGLTexture {
    const gl = this.#gl;
    const known = this.#tables.get(colours);
    if (known && gl.isTexture(known)) return known;
    const texture = this.#texture(gl.TEXTURE_2D, gl.LINEAR);
    const bytes = new Uint8Array(colours.buffer, colours.byteOffset, colours.byteLength);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, bytes.length / 4, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    this.#tables.set(colours, texture);
    return texture;
  }

  #use(name: string, source: () => string): Program {
    const gl = this.#gl;
    const used = this.#programs.get(name) ?? { program: this.#compiled(source()), places: new Map() };
    this.#programs.set(name, used);
    gl.useProgram(used.program);
    return used;
  }

  #compiled(fragment: string): WebGLProgram {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, corners], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(type);
      if (!shader) throw new NoGraphics('the context is lost');
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const logs = gl.getAttachedShaders(program)?.map((shader) => gl.getShaderInfoLog(shader)) ?? [];
      throw new NoGraphics(`${gl.getProgramInfoLog(program) ?? ''} ${logs.join(' ')}`);
    }
    return program;
  }

  #place({ program, places }: Program, name: string): WebGLUniformLocation | null {
    if (!places.has(name)) places.set(name, this.#gl.getUniformLocation(program, name));
    return places.get(name) ?? null;
  }

  #set(used: Program, name: string, values: readonly number[]): void {
    const gl = this.#gl;
    const place = this.#place(used, name);
    const [x = 0, y = 0, z = 0] = values;
    if (values.length === 1) gl.uniform1f(place, x);
    else if (values.length === 2) gl.uniform2f(place, x, y);
    else gl.uniform3f(place, x, y, z);
  }

  #bind(used: Program, name: string, target: number, texture: WebGLTexture, unit: number): void {
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(target, texture);
    gl.uniform1i(this.#place(used, name), unit);
  }
}

const BLANK = new Uint8Array(4);
