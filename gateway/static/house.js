// What our pages do beyond forms and links. Without it everything still works: places by list, photos by file, news by reload.
"use strict";
const here = document.documentElement;
const said = document.body.dataset;
here.classList.add("scripted");
if (window.htmx) here.classList.add("js");

// One's own position, where a form asks for a place.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-position]");
  if (!button) return;
  const form = button.closest("form"), status = button.parentElement.querySelector("[role=status]");
  button.disabled = true;
  const done = (text) => { button.disabled = false; status.textContent = text; };
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      form.elements.lon.value = coords.longitude.toFixed(6);
      form.elements.lat.value = coords.latitude.toFixed(6);
      done(status.dataset.found.replace("@", Math.round(coords.accuracy)));
    },
    () => done(status.dataset.lost),
    { enableHighAccuracy: true, timeout: 10000, maximumAge: 60000 },
  );
});
for (const each of document.querySelectorAll("[data-position]")) each.hidden = !("geolocation" in navigator);

// What was chosen as photos, small, before it is sent.
document.addEventListener("change", async (event) => {
  if (event.target.type !== "file") return;
  const shelf = event.target.closest(".field").querySelector("[data-shelf]");
  shelf.replaceChildren();
  for (const file of event.target.files) {
    const canvas = Object.assign(document.createElement("canvas"), { width: 192, height: 192 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", file.name);
    try {
      const picture = await createImageBitmap(file), side = Math.min(picture.width, picture.height);
      const at = [(picture.width - side) / 2, (picture.height - side) / 2];
      canvas.getContext("2d").drawImage(picture, ...at, side, side, 0, 0, 192, 192);
    } catch { continue; }
    shelf.append(canvas);
  }
});

// Once is enough.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
  setTimeout(() => { for (const each of form.querySelectorAll("button")) each.disabled = true; });
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.forms) {
    delete form.dataset.sent;
    for (const each of form.querySelectorAll("button")) each.disabled = false;
  }
});

// A link to a form opens it.
const open = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details")) target.open = true;
};
addEventListener("hashchange", open);
open();

// News: the page hears that something has moved and asks for itself again; what somebody types in stays as it is.
const busy = (region) => region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
  || [...region.querySelectorAll("textarea, input[type=text]")].some((each) => each.value !== each.defaultValue)
  || [...region.querySelectorAll("input[type=radio], input[type=checkbox]")].some((each) => each.checked !== each.defaultChecked)
  || [...region.querySelectorAll("input[type=file]")].some((each) => each.files.length)
  || region.querySelector("details.act[open]:not([data-open])");
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (!busy(event.detail.target)) return;
  event.detail.shouldSwap = false;
  document.getElementById("moved")?.removeAttribute("hidden");
});
const lost = document.getElementById("line-lost");
if (said.live && window.htmx && window.EventSource) {
  let waiting, line, away;
  const ask = () => { clearTimeout(waiting); waiting = setTimeout(() => document.body.dispatchEvent(new Event("facts")), 150); };
  const listen = () => {
    line = new EventSource("/live");
    line.addEventListener("open", () => { clearTimeout(away); lost.hidden = true; here.dataset.line = "open"; });
    line.addEventListener("fact", ({ data }) => { if (!said.subject || JSON.parse(data).subject === said.subject) ask(); });
    line.addEventListener("reload", ask);
    line.addEventListener("error", () => {
      delete here.dataset.line;
      clearTimeout(away);
      away = setTimeout(() => { lost.hidden = false; }, 2500);
      if (line.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { ask(); setTimeout(listen, 800); }, 2500);
    });
  };
  listen();
  setInterval(ask, 60000);
  addEventListener("pagehide", () => line.close());
}
