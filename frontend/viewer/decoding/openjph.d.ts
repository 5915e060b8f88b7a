/** What is used of OpenJPH's build for browsers. */
declare module '@cornerstonejs/codec-openjph/wasmjs' {
  interface FrameShape {
    width: number;
    height: number;
    bitsPerSample: number;
    componentCount: number;
    isSigned: boolean;
  }
  interface Decoder {
    /** Room for a code stream of so many bytes, within the module's memory. */
    getEncodedBuffer: (length: number) => Uint8Array;
    /** Reads the headers and the given decomposition level; 0 is the full size, each further level halves the edges. */
    decodeSubResolution: (level: number) => void;
    getDecodedBuffer: () => Uint8Array;
    getFrameInfo: () => FrameShape;
    calculateSizeAtDecompositionLevel: (level: number) => { width: number; height: number };
  }
  interface OpenJph {
    HTJ2KDecoder: new () => Decoder;
  }
  const load: (options: { locateFile: (name: string) => string }) => Promise<OpenJph>;
  export default load;
}
