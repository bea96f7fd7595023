// Sends each text through the npm packages that make links, clean pages or read addresses. Reads JSON lines, and prints one for each output.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import anchorme from 'anchorme'
import autolinker from 'autolinker'
import * as commonmark from 'commonmark'
import createDOMPurify from 'dompurify'
import fastUri from 'fast-uri'
import getUrls from 'get-urls'
import { convert } from 'html-to-text'
import { JSDOM } from 'jsdom'
import { LinkifyIt } from 'linkify-it'
import { linkifyUrlsToHtml } from 'linkify-urls'
import * as linkifyjs from 'linkifyjs'
import MarkdownIt from 'markdown-it'
import { marked } from 'marked'
import normalizeUrl from 'normalize-url'
import rehypeStringify from 'rehype-stringify'
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import remarkRehype from 'remark-rehype'
import sanitizeHtml from 'sanitize-html'
import showdown from 'showdown'
import TurndownService from 'turndown'
import twitter from 'twitter-text'
import { unified } from 'unified'
import * as uriJs from 'uri-js'
import URI from 'urijs'
import UrlParse from 'url-parse'
import * as whatwg from 'whatwg-url'

const linkifyIt = new LinkifyIt()
const markdownIt = new MarkdownIt()
const markdownItLinkify = new MarkdownIt({ linkify: true })
const remark = unified().use(remarkParse).use(remarkGfm).use(remarkRehype).use(rehypeStringify)
const parser = new commonmark.Parser()
const renderer = new commonmark.HtmlRenderer()
const showdownPlain = new showdown.Converter()
const showdownGithub = new showdown.Converter()
showdownGithub.setFlavor('github')
const dompurify = createDOMPurify(new JSDOM('').window)
const turndown = new TurndownService()

const html = (run) => (text) => ({ html: run(text) })
const plain = (run) => (text) => ({ text: run(text) })
const links = (run) => (text) => ({ links: run(text) })

const software = {
  linkifier: {
    'linkify-it': links((text) => (linkifyIt.match(text) ?? []).map((match) => match.url)),
    linkifyjs: links((text) => linkifyjs.find(text).map((match) => match.href)),
    autolinker: html((text) => autolinker.link(text)),
    anchorme: html((text) => anchorme.default(text)),
    'linkify-urls': html((text) => linkifyUrlsToHtml(text)),
    'get-urls': links((text) => [...getUrls(text)]),
    'twitter-text': html((text) => twitter.autoLink(twitter.htmlEscape(text))),
    'markdown-it linkify': html((text) => markdownItLinkify.render(text)),
    marked: html((text) => marked.parse(text)),
    'remark-gfm': html((text) => String(remark.processSync(text))),
    'showdown github': html((text) => showdownGithub.makeHtml(text)),
  },
  markdown: {
    'markdown-it': html((text) => markdownIt.render(text)),
    commonmark: html((text) => renderer.render(parser.parse(text))),
    showdown: html((text) => showdownPlain.makeHtml(text)),
  },
  page: {
    'sanitize-html': html((text) => sanitizeHtml(text)),
    dompurify: html((text) => dompurify.sanitize(text)),
    turndown: plain((text) => turndown.turndown(text)),
    'html-to-text': plain((text) => convert(text)),
    'html-to-text longWordSplit': plain((text) => convert(text, { longWordSplit: { forceWrapOnLimit: true, wrapCharacters: ['-', '/'] } })),
  },
  url: {
    'node URL': links((text) => [new URL(text).href]),
    'whatwg-url': links((text) => [new whatwg.URL(text).href]),
    'url-parse': links((text) => [new UrlParse(text).href]),
    urijs: links((text) => [new URI(text).normalize().toString()]),
    'fast-uri': links((text) => [fastUri.normalize(text)]),
    'uri-js': links((text) => [uriJs.normalize(text)]),
    'normalize-url': links((text) => [normalizeUrl(text)]),
  },
}

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const version = (name) => dependencies[name.split(' ')[0]] ?? process.versions.node.split('.')[0]

for await (const line of createInterface({ input: process.stdin })) {
  const input = JSON.parse(line)
  for (const [name, run] of Object.entries(software[input.sort] ?? {})) {
    let output
    try {
      output = run(input.text)
    } catch (error) {
      output = { refused: String(error.message).split('\n')[0] }
    }
    console.log(JSON.stringify({ ...input, software: name, version: version(name), ...output }))
  }
}
