// Attachments drawn as WeChat draws them. What cannot be shown (a picture elsewhere, media that is gone) says so.
import { h, icon, localPath, safeUrl } from "./dom.js";
import { size } from "./format.js";
import { t } from "./words.js";

export function attachment(item) {
  const kind = item?.msgtype;
  const part = item?.[kind] ?? {};
  const draw = { image, link, miniprogram, video, file }[kind];
  return draw ? draw(part, item.media) : lost("question", t("attachment.unknown", { kind: String(kind) }));
}

const lost = (name, text) => h("div", { class: "lost-media" }, icon(name), h("span", {}, text));
const mediaPath = (id) => (id ? `/sandbox/media/${encodeURIComponent(id)}` : "");

/** A picture that gives way to `instead` when it does not load. */
function picture(src, alt, instead) {
  const element = h("img", { src, alt, loading: "eager", decoding: "async" });
  element.addEventListener("error", () => element.replaceWith(instead()), { once: true });
  element.addEventListener("load", () => {
    const body = element.closest(".wx-body");
    if (body && body.scrollHeight - body.scrollTop - body.clientHeight < element.height + 120) body.scrollTop = body.scrollHeight;
  }, { once: true });
  return element;
}

function image(part, media) {
  const src = media ? mediaPath(media.id) : localPath(part.pic_url ?? "");
  if (!src) return lost("image", part.pic_url ? t("attachment.elsewhere") : t("attachment.gone"));
  const label = media?.filename || t("attachment.image");
  return h("a", { class: "shot", href: src, target: "_blank", rel: "noopener" }, picture(src, label, () => lost("image", t("attachment.gone"))));
}

function link(part) {
  const thumb = localPath(part.picurl ?? "");
  const mark = () => icon("link");
  return cardLink(part.url, h("strong", { class: "cut2" }, h("bdi", {}, part.title ?? "")),
    h("span", { class: "card-row" }, h("span", { class: "cut2" }, part.desc || hostOf(part.url)),
      h("span", { class: "card-thumb" }, thumb ? picture(thumb, "", mark) : mark())));
}

const hostOf = (url) => (safeUrl(url ?? "") ? new URL(url).host : "");

function cardLink(url, ...children) {
  const href = safeUrl(url ?? "");
  return href ? h("a", { class: "card", href, target: "_blank", rel: "noopener noreferrer" }, ...children) : h("div", { class: "card" }, ...children);
}

function miniprogram(part, media) {
  const none = () => icon("mini");
  return h("div", { class: "card" }, h("strong", { class: "cut2" }, h("bdi", {}, part.title ?? "")),
    h("div", { class: "mini-picture" }, media ? picture(mediaPath(media.id), "", none) : none()),
    h("div", { class: "card-foot" }, icon("mini"), t("attachment.mini")));
}

function video(part, media) {
  if (!media) return lost("play", t("attachment.gone"));
  return h("div", { class: "shot" }, h("video", { src: mediaPath(media.id), controls: true, preload: "metadata", playsinline: true, "aria-label": media.filename || t("attachment.video") }));
}

const HUES = { pdf: 4, doc: 215, docx: 215, xls: 145, xlsx: 145, ppt: 22, pptx: 22, zip: 42 };

function file(part, media) {
  if (!media) return lost("link", t("attachment.gone"));
  const ending = (media.filename.split(".").pop() ?? "").toLowerCase().slice(0, 4);
  const kind = h("span", { class: "file-kind", "aria-hidden": "true" }, ending.toUpperCase() || "?");
  kind.style.setProperty("--hue", HUES[ending] ?? 215);
  return h("a", { class: "card file", href: mediaPath(media.id), download: media.filename },
    h("span", {}, h("strong", { class: "cut2" }, h("bdi", {}, media.filename)), h("small", {}, size(media.size))), kind);
}
