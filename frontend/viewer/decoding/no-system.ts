/** Stands for Node's file system, which a browser has none of. */

export default {};
