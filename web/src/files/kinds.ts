// What kind of thing a file is, as people see it: by its media type, and where that says little by its name.

import type { Item } from "../api/types";
import type { Name } from "../parts/Icon.svelte";

export type Kind = "folder" | "picture" | "video" | "audio" | "markdown" | "code" | "text" | "pdf" | "archive" | "other";

const CODE = /\.(c|cc|cpp|h|hpp|rs|go|js|mjs|jsx|ts|tsx|svelte|vue|py|rb|php|java|kt|swift|cs|sh|bash|zsh|fish|ps1|sql|css|scss|html?|xml|svg|json|jsonc|ya?ml|toml|ini|conf|cfg|lua|pl|r|diff|patch|dockerfile|makefile|cmake|nix|tex)$/i;
const TEXT = /\.(txt|log|csv|tsv|ics|vcf|srt|vtt|eml|rst|org|license|readme)$/i;
const ARCHIVE = /^application\/(zip|gzip|x-tar|x-7z-compressed|x-bzip2?|x-xz|zstd|vnd\.rar|x-rar-compressed)/;
/** What browsers show as a picture. An SVG in an <img> runs nothing and loads nothing. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml|x-icon)$/;

export function kindOf(item: Pick<Item, "kind" | "name" | "type">): Kind {
  if (item.kind === "folder") return "folder";
  const type = item.type ?? "";
  if (PICTURE.test(type)) return "picture";
  if (type.startsWith("video/") && !/\.tsx?$/i.test(item.name)) return "video";
  if (type.startsWith("audio/")) return "audio";
  if (type === "application/pdf") return "pdf";
  if (type === "text/markdown" || /\.(md|markdown)$/i.test(item.name)) return "markdown";
  if (CODE.test(item.name)) return "code";
  if (type.startsWith("text/") || TEXT.test(item.name)) return "text";
  if (ARCHIVE.test(type)) return "archive";
  return "other";
}

export const icons: Record<Kind, Name> = {
  folder: "folder",
  picture: "picture",
  video: "video",
  audio: "audio",
  markdown: "paper",
  code: "code",
  text: "paper",
  pdf: "paper",
  archive: "archive",
  other: "file",
};
