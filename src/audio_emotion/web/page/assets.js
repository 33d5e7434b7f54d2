// The page's files: beside it on a web server, or in it where it is a single file.

const inside = (name) => document.getElementById(`file:${name}`)?.textContent;

/** Return the address of a script. */
export function address(name) {
  const code = inside(name);
  return code === undefined ? new URL(name, document.baseURI).href : `data:text/javascript;base64,${code}`;
}

/** Return the content of a file, unpacked if it is packed; some servers unpack by themselves. */
export async function content(name) {
  const bytes = await read(name);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.buffer;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).arrayBuffer();
}

/** Return a file of JSON. */
export async function json(name) {
  return JSON.parse(new TextDecoder().decode(await content(name)));
}

async function read(name) {
  const code = inside(name);
  if (code !== undefined) return Uint8Array.from(atob(code), (character) => character.charCodeAt(0));
  const response = await fetch(address(name));
  if (!response.ok) throw new Error(`${name} cannot be loaded (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}
