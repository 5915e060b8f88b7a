/** Why a login does not go on in the browser. */

/** The browser gives its cryptography to pages that came over HTTPS, or from this machine, alone. */
export class NotSecure extends Error {}

/** The password is kept elsewhere (the directory), or is from before proofs and moves over at the next login. */
export class NotMoved extends Error {}

/** The server does not have what it says, or asks for a proof that would be too easy to guess from. */
export class ServerDoubtful extends Error {}
