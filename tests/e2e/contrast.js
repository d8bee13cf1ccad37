// Return the texts of a page that have less contrast to their background than WCAG's AA asks for: 4.5.
() => {
  const parse = text => text.match(/[\d.]+/g).map(Number);
  const linear = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) =>
    0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
  const ground = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const contrast = element => {
    const [high, low] = [parse(getComputedStyle(element).color), ground(element)].map(light).sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  return [...document.querySelectorAll("body *")]
    .filter(element => !["SCRIPT", "STYLE"].includes(element.tagName) && hasText(element) && contrast(element) < 4.5)
    .map(element => `${element.tagName}: ${element.textContent.trim().slice(0, 40)}`);
}
