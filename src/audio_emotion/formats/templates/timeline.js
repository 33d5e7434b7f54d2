const audio = document.querySelector("audio");
const position = document.getElementById("position");
const buttons = [...document.querySelectorAll("button[data-start]")];
const duration = Number(document.body.dataset.duration);

function playFrom(seconds) {
  audio.currentTime = seconds;
  audio.play();
}

buttons.forEach((button, number) => {
  button.addEventListener("click", () => playFrom(Number(button.dataset.start)));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const neighbour = step && buttons[number + step];
    if (neighbour) {
      neighbour.focus();
      event.preventDefault();
    }
  });
});

document.querySelectorAll("svg").forEach((drawing) => {
  drawing.addEventListener("click", (event) => {
    const box = drawing.getBoundingClientRect();
    playFrom(((event.clientX - box.left) / box.width) * duration);
  });
});

audio.addEventListener("timeupdate", () => {
  const now = audio.currentTime;
  const x = (position.ownerSVGElement.viewBox.baseVal.width * now) / duration;
  position.setAttribute("x1", x);
  position.setAttribute("x2", x);
  for (const button of buttons) {
    const { start, end } = button.dataset;
    button.setAttribute("aria-current", now >= Number(start) && now < Number(end));
  }
});
