/**
 * Finds text that differs too little from its background. The function runs in a page, and so has nothing around it.
 *
 * @module
 */

/// <reference lib="dom" />

/** What is wrong: each text with less than 4.5:1, or 3:1 if it is large. */
export function contrastProblems(): string[] {
  type Colour = [number, number, number, number];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  const parse = (css: string): Colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = ([r, g, b, a]: Colour, [R, G, B]: Colour): Colour => [
    r * a + R * (1 - a),
    g * a + G * (1 - a),
    b * a + B * (1 - a),
    1,
  ];
  const backgroundOf = (element: Element | null): Colour => {
    if (element === null) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] >= 1 ? own : over(own, backgroundOf(element.parentElement));
  };
  const luminance = (colour: Colour) => {
    const [r, g, b] = colour.map((each) => {
      const share = each / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const problems = new Set<string>();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent!.trim();
    const element = walker.currentNode.parentElement!;
    if (text === "" || element.closest("noscript, option") !== null || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const background = backgroundOf(element);
    const [one, other] = [luminance(over(parse(style.color), background)), luminance(background)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 600 ||
      parseFloat(style.fontSize) >= 24;
    if (ratio < (isLarge ? 3 : 4.5)) {
      problems.add(`${ratio.toFixed(2)}:1 ${element.className} "${text.slice(0, 40)}"`);
    }
  }
  return [...problems];
}
