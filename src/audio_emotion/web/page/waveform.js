// The sound: its waveform, and hearing it.

const BAR = 4; // pixels from one bar of the waveform to the next
const $ = (id) => document.getElementById(id);

/** Draw the peaks of samples; what lies after `played`, a share, is paler. */
export function drawWaveform(canvas, samples, colour, played = 1) {
  const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = colour;
  const bars = Math.floor(width / BAR), step = samples.length / bars;
  const peaks = Array.from({ length: bars }, (_, n) => peak(samples, Math.floor(n * step), Math.ceil((n + 1) * step)));
  const loudest = Math.max(...peaks, 0.01);
  peaks.forEach((found, n) => {
    const high = Math.max(2, (found / loudest) * (height - 2));
    pen.globalAlpha = n / bars <= played ? 1 : 0.35;
    pen.fillRect(n * BAR, (height - high) / 2, BAR - 1.5, high);
  });
}

function peak(samples, from, to) {
  let found = 0;
  for (let n = from; n < to; n++) found = Math.max(found, Math.abs(samples[n]));
  return found;
}

/** Plays the current recording, and parts of it. */
export class Player {
  /** @param onMove  called with the seconds while it plays */
  constructor(onMove) {
    this.audio = $("audio");
    this.until = Infinity;
    $("play").onclick = () => (this.audio.paused ? this.play(this.audio.currentTime) : this.audio.pause());
    this.audio.ontimeupdate = () => {
      if (this.audio.currentTime >= this.until) this.audio.pause();
      onMove(this.audio.currentTime);
    };
    for (const event of ["play", "pause", "ended"]) {
      this.audio.addEventListener(event, () => {
        const playing = !this.audio.paused;
        $("play").textContent = playing ? "❚❚" : "▶";
        $("play").setAttribute("aria-label", playing ? "Pause" : "Play the recording");
      });
    }
  }

  load(blob) {
    if (this.audio.src) URL.revokeObjectURL(this.audio.src);
    this.audio.src = URL.createObjectURL(blob);
    this.until = Infinity;
  }

  /** Play from a second on, until another. */
  play(from, until = Infinity) {
    this.until = until;
    this.audio.currentTime = from;
    this.audio.play().catch(() => {}); // of a format that this browser does not play
  }
}

const drawings = new Map(); // what the next frame draws, by name

/** Draw with the next frame; of several drawings of a name only the last. */
export function onceAFrame(name, draw) {
  if (!drawings.has(name)) {
    requestAnimationFrame(() => {
      const latest = drawings.get(name);
      drawings.delete(name);
      latest();
    });
  }
  drawings.set(name, draw);
}

/** Return the last samples of blocks, after silence where there are fewer. */
export function lastOf(blocks, length) {
  const found = new Float32Array(length);
  let end = length;
  for (let n = blocks.length - 1; n >= 0 && end > 0; end -= blocks[n--].length) {
    const block = blocks[n].subarray(Math.max(0, blocks[n].length - end));
    found.set(block, end - block.length);
  }
  return found;
}
