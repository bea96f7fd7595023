// Sends each message through nodemailer: as it travels, and as mailparser reads it. JSON lines in, JSON lines out.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { simpleParser } from 'mailparser'
import nodemailer from 'nodemailer'
import quotedPrintable from 'quoted-printable'
import slackifyMarkdown from 'slackify-markdown'

const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

// Boundaries, dates and identifiers would be others in each run: what counts is the body.
const wire = async (mail) => {
  const { message } = await transport.sendMail({ date: new Date(0), messageId: '<a@example.org>', ...mail })
  return message
}
const body = (message) => message.toString().replace(/^[^]*?\r\n\r\n/, '')
const html = (text) => text.split('\n').map((line) => `<p>${line.replace(/https:\S+|PORT:\S+/, '<a href="$&">$&</a>')}</p>`).join('\n')

const software = {
  nodemailer: async (text) => (await wire({ text })).toString().replace(/^[^]*?(Content-Type)/, '$1'),
  'nodemailer quoted-printable': async (text) => body(await wire({ text, textEncoding: 'quoted-printable' })),
  'nodemailer base64': async (text) => body(await wire({ text, textEncoding: 'base64' })),
  'nodemailer html': async (text) => body(await wire({ html: html(text) })),
  'nodemailer subject': async (text) => {
    const message = await wire({ subject: text.replace(/\s+/g, ' '), text: 'See above.' })
    return message.toString().match(/^Subject:[^]*?(?=\r\n\S)/m)[0]
  },
  'slackify-markdown': async (text) => slackifyMarkdown(text),
  'slackify-markdown link': async (text) => slackifyMarkdown(text.replace(/https?:\S+|PORT:\S+/i, '[Port]($&)')),
  'quoted-printable': async (text) => quotedPrintable.encode(Buffer.from(text, 'utf8').toString('latin1')),
  mailparser: async (text) => (await simpleParser(await wire({ text }))).text,
  'mailparser html': async (text) => (await simpleParser(await wire({ html: html(text) }))).text,
  'mailparser subject': async (text) => (await simpleParser(await wire({ subject: text.replace(/\s+/g, ' '), text: '.' }))).subject,
  'mailparser textAsHtml': async (text) => (await simpleParser(await wire({ text }))).textAsHtml,
}

for await (const line of createInterface({ input: process.stdin })) {
  const input = JSON.parse(line)
  if (input.sort !== 'mail') continue
  for (const [name, run] of Object.entries(software)) {
    const text = await run(input.text)
    console.log(JSON.stringify({ ...input, software: name, version: dependencies[name.split(' ')[0]], text }))
  }
}
