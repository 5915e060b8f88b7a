/** The programs of the graphics card. Voxels are read one by one and weighed here: a card's own filter knows 256 steps. */

import type { Kind } from './reslice';

const SAMPLERS: Readonly<Record<Kind, string>> = { int16: 'isampler3D', uint16: 'usampler3D', uint8: 'usampler3D', float32: 'sampler3D' };

export const corners = `#version 300 es
void main() { gl_Position = vec4(vec2((gl_VertexID << 1) & 2, gl_VertexID & 2) * 2.0 - 1.0, 0.0, 1.0); }`;

/** A volume with its geometry as uniforms whose names end in `n`, and its trilinear sample. */
const volume = (n: string, kind: Kind): string => `
uniform highp ${SAMPLERS[kind]} voxels${n};
uniform sampler2D cells${n};
uniform vec3 size${n};     // columns, rows, slices
uniform vec3 depth${n};    // even distance or 0, mm before the first slice, mm to the end
uniform vec3 cell${n};     // width in mm, count, columns of the table
uniform vec2 scale${n};    // slope, intercept
uniform vec3 from${n}, across${n}, down${n}, deeper${n};

float stored${n}(ivec3 at) { return float(texelFetch(voxels${n}, at, 0).r); }

float slice${n}(float d) {
  if (depth${n}.x > 0.0) return d / depth${n}.x;
  int place = int(clamp(d / cell${n}.x, 0.0, cell${n}.y - 1.0));
  int wide = int(cell${n}.z);
  vec4 c = texelFetch(cells${n}, ivec2(place % wide, place / wide), 0);
  return d < c.z || c.x + 2.0 >= size${n}.z ? c.x + (d - c.y) / (c.z - c.y) : c.x + 1.0 + (d - c.z) / (c.w - c.z);
}

bool sample${n}(vec3 q, out float value) {
  value = 0.0;
  if (any(lessThan(q.xy, vec2(-0.5))) || any(greaterThan(q.xy, size${n}.xy - 0.5))) return false;
  if (q.z < -depth${n}.y || q.z > depth${n}.z) return false;
  vec3 p = clamp(vec3(q.xy, slice${n}(q.z)), vec3(0.0), size${n} - 1.0);
  vec3 base = min(floor(p), size${n} - 2.0);
  vec3 w = p - base;
  ivec3 a = ivec3(base);
  float near = mix(mix(stored${n}(a), stored${n}(a + ivec3(1, 0, 0)), w.x),
                   mix(stored${n}(a + ivec3(0, 1, 0)), stored${n}(a + ivec3(1, 1, 0)), w.x), w.y);
  value = near;
  if (w.z > 0.0) {
    float far = mix(mix(stored${n}(a + ivec3(0, 0, 1)), stored${n}(a + ivec3(1, 0, 1)), w.x),
                    mix(stored${n}(a + ivec3(0, 1, 1)), stored${n}(a + ivec3(1, 1, 1)), w.x), w.y);
    value = mix(near, far, w.z);
  }
  return true;
}

bool slab${n}(vec2 pixel, out float value) {
  vec3 q = from${n} + pixel.x * across${n} + pixel.y * down${n};
  value = 0.0;
  float sum = 0.0, count = 0.0, one;
  for (int turn = 0; turn < samples; ++turn) {
    if (sample${n}(q, one)) {
      sum += one;
      value = count == 0.0 ? one : mode == 0 ? max(value, one) : min(value, one);
      count += 1.0;
    }
    q = from${n} + pixel.x * across${n} + pixel.y * down${n} + float(turn + 1) * deeper${n};
  }
  if (count == 0.0) return false;
  if (mode == 2) value = sum / count;
  value = value * scale${n}.x + scale${n}.y;
  return true;
}`;

const windowed = `
uniform vec3 window;  // centre, width, 0 linear, 1 linear exact, 2 sigmoid (PS3.3 C.11.2.1.2, C.11.2.1.3)
uniform float invert;
uniform sampler2D display;  // what the display is given for a level

vec3 shade(float grey) { return texelFetch(display, ivec2(int(clamp(grey, 0.0, 1.0) * 255.0 + 0.5), 0), 0).rgb; }

float grey(float value) {
  float c = window.x, w = window.y, found;
  if (window.z > 1.5) found = 1.0 / (1.0 + exp(-4.0 * (value - c) / w));
  else if (window.z > 0.5) found = clamp((value - c) / w + 0.5, 0.0, 1.0);
  else if (w <= 1.0) found = value <= c - 0.5 ? 0.0 : 1.0;
  else found = clamp((value - (c - 0.5)) / (w - 1.0) + 0.5, 0.0, 1.0);
  return mix(found, 1.0 - found, invert);
}`;

/** A plane or slab, alone or with the colours of a second volume over it. */
export const slices = (kind: Kind, over: Kind | null): string => `#version 300 es
precision highp float;
precision highp int;
uniform float height;
uniform int samples, mode;  // mode: 0 the largest, 1 the smallest, 2 the mean
uniform bool raw;           // the value itself, as the four bytes of its bits
${volume('A', kind)}
${over ? volume('B', over) : ''}
${windowed}
uniform sampler2D colours;
uniform vec3 blend;         // least value, width, share of the colour
out vec4 colour;

vec4 bytes(uint bits) { return vec4(bits & 255u, bits >> 8 & 255u, bits >> 16 & 255u, bits >> 24) / 255.0; }

void main() {
  vec2 pixel = vec2(gl_FragCoord.x - 0.5, height - gl_FragCoord.y - 0.5);
  float value;
  bool inside = slabA(pixel, value);
  if (raw) {
    colour = bytes(inside ? floatBitsToUint(value) : 0x7fc00000u);
    return;
  }
  vec3 shown = shade(inside ? grey(value) : 0.0);
  ${over ? `
  float other;
  if (slabB(pixel, other)) {
    float part = clamp((other - blend.x) / blend.y, 0.0, 1.0);
    vec3 hue = texelFetch(colours, ivec2(int(part * 255.0 + 0.5), 0), 0).rgb;
    shown = mix(shown, hue, blend.z);
  }` : ''}
  colour = vec4(shown, 1.0);
}`;

/** Rays through a smaller copy of the volume that the card filters by itself. */
export const rays = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler3D;
uniform sampler3D body;
uniform sampler2D transfer;   // value to colour and opacity
uniform float height;
uniform vec3 from, across, down, way;   // in parts (0 to 1) of the copy; way: one step
uniform vec3 least, most;     // the crop box
uniform mat3 toPatient;       // turns a slope within the copy into one in the patient
uniform vec3 texel;
uniform vec2 range;           // of the transfer table: least value, width
uniform float stepMm;
uniform float unit;           // of the copy's values, which are half floats
uniform int kind;             // 0 surfaces, 1 the largest value
uniform vec3 eye;             // from the patient to the reader
${windowed}
out vec4 colour;

float at(vec3 p) { return texture(body, p).r * unit; }

float noise(vec2 p) { return fract(52.9829189 * fract(dot(p, vec2(0.06711056, 0.00583715)))); }

vec3 slope(vec3 p) {
  vec3 d = vec3(at(p + vec3(texel.x, 0, 0)) - at(p - vec3(texel.x, 0, 0)),
                at(p + vec3(0, texel.y, 0)) - at(p - vec3(0, texel.y, 0)),
                at(p + vec3(0, 0, texel.z)) - at(p - vec3(0, 0, texel.z)));
  return toPatient * (d / (2.0 * texel));
}

void main() {
  vec2 pixel = vec2(gl_FragCoord.x - 0.5, height - gl_FragCoord.y - 0.5);
  vec3 start = from + pixel.x * across + pixel.y * down;
  vec3 safe = mix(way, vec3(1e-9), lessThan(abs(way), vec3(1e-9)));
  vec3 one = (least - start) / safe, other = (most - start) / safe;
  vec3 low = min(one, other), high = max(one, other);
  float enter = max(max(low.x, low.y), low.z), leave = min(min(high.x, high.y), high.z);
  colour = vec4(0.0, 0.0, 0.0, 1.0);
  if (leave <= enter) return;
  float largest = -3.0e38;
  vec3 sum = vec3(0.0);
  float light = 1.0;
  float t = enter + noise(gl_FragCoord.xy);
  for (int turn = 0; turn < 4096 && t < leave; ++turn, t += 1.0) {
    vec3 p = start + t * way;
    float value = at(p);
    if (kind == 1) { largest = max(largest, value); continue; }
    vec4 here = texture(transfer, vec2((value - range.x) / range.y, 0.5));
    if (here.a < 0.002) continue;
    float opacity = 1.0 - pow(1.0 - here.a, stepMm);
    vec3 rise = slope(p);
    float steep = length(rise);
    vec3 normal = steep > 1e-6 ? rise / steep : eye;
    float facing = abs(dot(normal, eye));
    float edge = smoothstep(0.0, range.y * 0.01, steep);
    vec3 lit = here.rgb * mix(0.9, 0.25 + 0.75 * facing, edge) + edge * 0.25 * pow(facing, 24.0);
    sum += light * opacity * lit;
    light *= 1.0 - opacity;
    if (light < 0.02) break;
  }
  if (kind == 1) colour = vec4(shade(largest > -1.0e38 ? grey(largest) : 0.0), 1.0);
  else colour = vec4(sum, 1.0);
}`;
