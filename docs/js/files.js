// The files of a page's explorers: each fetched once, and compared with what the page was made with.

const FOLDER = new URL("../data/", import.meta.url);
const fetched = new Map(); // name -> a promise of its bytes

/** The bytes of a file. told: {file, bytes, sha256}, as the page was made with. */
export function bytesOf(told) {
  if (!fetched.has(told.file)) {
    const reading = read(told);
    reading.catch(() => fetched.delete(told.file)); // the next one who asks tries again
    fetched.set(told.file, reading);
  }
  return fetched.get(told.file);
}

/** What a JSON file holds. */
export async function jsonOf(told) {
  return JSON.parse(new TextDecoder().decode(await bytesOf(told)));
}

async function read({ file, bytes, sha256 }) {
  let data;
  try {
    const answer = await fetch(new URL(file, FOLDER));
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    data = await answer.arrayBuffer();
  } catch {
    throw new Error("a file that it needs did not arrive");
  }
  if (data.byteLength < bytes)
    throw new Error("a file that it needs was cut short on the way");
  if (data.byteLength !== bytes || !(await has(data, sha256)))
    throw new Error("a file that it needs is not the one that this page was made with");
  return data;
}

/** Whether these bytes have that digest; a page without https cannot tell, and takes them. */
async function has(data, sha256) {
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

/** Traits as an explorer reads them: bytes fetched, what is shared as an object of traits. */
export async function traitsOf(told) {
  const names = Object.keys(told);
  const values = await Promise.all(names.map((name) => valueOf(told[name])));
  return Object.fromEntries(names.map((name, k) => [name, values[k]]));
}

async function valueOf(value) {
  if (value?.$bytes) return new DataView(await bytesOf(value.$bytes));
  if (value?.$shared) return traitsOf(value.$shared);
  return value;
}
