// Measures a drawing as the browser shows it: where texts and boxes lie, and, where that is asked for, how lines run (`lines`) and what
// colours stand under a text (`grounds`), which takes long. Judges nothing.
({ lines, grounds }) => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const corners = ({ left, top, right, bottom }) => [left, top, right, bottom];
  const place = (element) => corners(element.getBoundingClientRect());
  const own = (element, selector) => [...element.children].find((child) => child.matches(selector));
  const name = (element) => element.closest("[id]")?.id ?? "";

  // Signs reach from their own ascent to their own descent; the room that a font keeps above and below them is empty.
  function signs(text) {
    const [left, top, right, bottom] = place(text);
    const size = parseFloat(getComputedStyle(text).fontSize);
    const baseline = text.getScreenCTM().f + Number(text.getAttribute("y")) * text.getScreenCTM().d;
    return [left, Math.max(top, baseline - 0.88 * size), right, Math.min(bottom, baseline + 0.22 * size)];
  }

  const frame = (text) => text.parentElement.dataset.frame; // the frame whose title it is

  function room(text) {
    if (frame(text)) return place(own(document.getElementById(frame(text)), "rect.frame"));
    for (let group = text.parentElement; group && group.matches("g"); group = group.parentElement) {
      const shape = own(group, "rect.box, rect.label, circle.label");
      if (shape && !group.matches(".bar")) return place(shape); // what a bar means stands beside it
    }
    return place(document.querySelector("svg"));
  }

  function opacity(element) {
    let product = 1;
    for (let one = element; one && one.nodeType === 1; one = one.parentElement) product *= Number(getComputedStyle(one).opacity);
    return product;
  }

  function ground(text) {
    const [left, top, right, bottom] = signs(text);
    return document
      .elementsFromPoint((left + right) / 2, (top + bottom) / 2)
      .filter((element) => element.matches("rect, circle") && getComputedStyle(element).fill !== "none")
      .map((element) => ({ colour: getComputedStyle(element).fill, opacity: opacity(element) }));
  }

  function points(path) {
    const found = [];
    const matrix = path.getScreenCTM();
    for (let at = 0, length = path.getTotalLength(); at <= length; at += 3) {
      const { x, y } = path.getPointAtLength(at).matrixTransform(matrix);
      found.push([x, y]);
    }
    return found;
  }

  return {
    texts: all("svg text").map((text) => ({
      words: text.textContent,
      place: signs(text),
      room: room(text),
      heads_frame: Boolean(frame(text)),
      colour: { colour: getComputedStyle(text).fill, opacity: opacity(text) },
      ground: grounds ? ground(text) : null,
    })),
    boxes: all("g.picture g")
      .map((group) => [group, own(group, "rect.box, rect.label")])
      .filter(([, shape]) => shape)
      .map(([group, shape]) => ({ words: name(group), place: place(shape) })),
    lines: lines ? all("path.course").map((path) => ({ words: name(path), points: points(path) })) : null,
  };
}
