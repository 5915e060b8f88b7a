/** Runes everywhere; no preprocessor is needed, because scripts use types alone. */
export default { compilerOptions: { runes: true } };
