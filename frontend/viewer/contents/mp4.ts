/** Films as MP4 with H.264, coded by the browser (WebCodecs) and put into a file here (ISO/IEC 14496-12, 14496-15). */

const CLOCK = 90_000;
const CODECS = ['avc1.640033', 'avc1.640028', 'avc1.42003d', 'avc1.42001f'];
const KEY_EVERY = 30;
const QUALITY = 0.22; // bits a pixel and frame, within what codecs take
const WAITING = 4;

interface Sample {
  data: Uint8Array;
  key: boolean;
}

function box(kind: string, ...parts: Uint8Array[]): Uint8Array {
  const size = 8 + parts.reduce((sum, one) => sum + one.length, 0);
  const out = new Uint8Array(size);
  new DataView(out.buffer).setUint32(0, size);
  out.set(new TextEncoder().encode(kind), 4);
  let at = 8;
  for (const one of parts) {
    out.set(one, at);
    at += one.length;
  }
  return out;
}

/** Big endian words of 4 bytes. */
function words(...values: number[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, at) => out.setUint32(at * 4, value >>> 0));
  return new Uint8Array(out.buffer);
}

const halves = (...values: number[]): Uint8Array => Uint8Array.from(values.flatMap((value) => [(value >> 8) & 255, value & 255]));
const MATRIX = words(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

/** Puts coded pictures of one size and rate into a file. */
export function muxed(samples: readonly Sample[], settings: Uint8Array, width: number, height: number, rate: number): Blob {
  const step = Math.round(CLOCK / rate);
  const duration = step * samples.length;
  const entry = box(
    'avc1', new Uint8Array(6), halves(1), new Uint8Array(16), halves(width, height), words(0x480000, 0x480000, 0), halves(1), new Uint8Array(32), halves(24, 0xffff),
    box('avcC', settings),
  );
  const keys = samples.flatMap((one, at) => (one.key ? [at + 1] : []));
  const begin = box('ftyp', new TextEncoder().encode('isom'), words(512), new TextEncoder().encode('isomiso2avc1mp41'));
  const index = (offset: number): Uint8Array =>
    box(
      'moov',
      box('mvhd', words(0, 0, 0, CLOCK, duration, 0x10000), halves(0x100, 0), words(0, 0), MATRIX, new Uint8Array(24), words(2)),
      box(
        'trak',
        box('tkhd', words(3, 0, 0, 1, 0, duration), new Uint8Array(16), MATRIX, words(width << 16, height << 16)),
        box(
          'mdia',
          box('mdhd', words(0, 0, 0, CLOCK, duration), halves(0x55c4, 0)),
          box('hdlr', words(0, 0), new TextEncoder().encode('vide'), new Uint8Array(12), new TextEncoder().encode('film\0')),
          box(
            'minf',
            box('vmhd', words(1), new Uint8Array(8)),
            box('dinf', box('dref', words(0, 1), box('url ', words(1)))),
            box(
              'stbl',
              box('stsd', words(0, 1), entry),
              box('stts', words(0, 1, samples.length, step)),
              box('stss', words(0, keys.length, ...keys)),
              box('stsc', words(0, 1, 1, samples.length, 1)),
              box('stsz', words(0, 0, samples.length, ...samples.map((one) => one.data.length))),
              box('stco', words(0, 1, offset)),
            ),
          ),
        ),
      ),
    );
  const ahead = begin.length + index(0).length + 8;
  const size = 8 + samples.reduce((sum, one) => sum + one.data.length, 0);
  const parts = [begin, index(ahead), words(size), new TextEncoder().encode('mdat'), ...samples.map((one) => one.data)];
  return new Blob(parts as BlobPart[], { type: 'video/mp4' });
}

/** The settings in which this browser codes H.264 of a size; null where it does not. */
export async function h264For(width: number, height: number, rate: number): Promise<VideoEncoderConfig | null> {
  if (typeof VideoEncoder === 'undefined') return null;
  document.createElement('video').canPlayType('video/mp4'); // WebKitGTK starts its codecs here; asked without, it falls over
  for (const codec of CODECS) {
    const config: VideoEncoderConfig = {
      codec, width, height, framerate: rate,
      bitrate: Math.max(2_000_000, Math.min(40_000_000, Math.round(width * height * rate * QUALITY))),
      avc: { format: 'avc' },
      latencyMode: 'quality',
    };
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (supported) return config;
  }
  return null;
}

/** Takes pictures one by one. */
export class Mp4Writer {
  readonly #encoder: VideoEncoder;
  readonly #samples: Sample[] = [];
  #settings: Uint8Array | null = null;
  #failure: unknown = null;
  #count = 0;

  constructor(
    private readonly config: VideoEncoderConfig,
    private readonly rate: number,
  ) {
    this.#encoder = new VideoEncoder({
      output: (chunk, about) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        this.#samples.push({ data, key: chunk.type === 'key' });
        const said = about?.decoderConfig?.description;
        if (said) this.#settings = ArrayBuffer.isView(said) ? new Uint8Array(said.buffer, said.byteOffset, said.byteLength).slice() : new Uint8Array(said).slice();
      },
      error: (cause) => (this.#failure = cause),
    });
    this.#encoder.configure(config);
  }

  async add(canvas: HTMLCanvasElement): Promise<void> {
    if (this.#failure) throw this.#failure;
    const frame = new VideoFrame(canvas, { timestamp: Math.round((this.#count * 1e6) / this.rate), duration: Math.round(1e6 / this.rate) });
    this.#encoder.encode(frame, { keyFrame: this.#count % KEY_EVERY === 0 });
    frame.close();
    this.#count += 1;
    while (this.#encoder.encodeQueueSize > WAITING && !this.#failure) await new Promise((next) => setTimeout(next, 4));
  }

  async end(): Promise<Blob> {
    await this.#encoder.flush();
    this.#encoder.close();
    if (this.#failure) throw this.#failure;
    if (!this.#settings) throw new Error('the film is empty');
    return muxed(this.#samples, this.#settings, this.config.width, this.config.height, this.rate);
  }

  cancel(): void {
    if (this.#encoder.state !== 'closed') this.#encoder.close();
  }
}
