// QR codes by npm packages. `write`: texts in, matrices out. `read`: matrices in, what each reader makes of them out. JSON lines.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import * as zxing from '@zxing/library'
import jsQR from 'jsqr'
import encodeQR from 'qr'
import decodeQR from 'qr/decode.js'
import qrcode from 'qrcode'
import qrcodeGenerator from 'qrcode-generator'

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

const writers = {
  qrcode: (text) => {
    const { modules } = qrcode.create(text, { errorCorrectionLevel: 'M' })
    return Array.from({ length: modules.size }, (_, y) => Array.from({ length: modules.size }, (_, x) => modules.get(y, x)))
  },
  'qrcode-generator': (text) => {
    const code = qrcodeGenerator(0, 'M')
    code.addData(text)
    code.make()
    const size = code.getModuleCount()
    return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => code.isDark(y, x)))
  },
  qr: (text) => encodeQR(text, 'raw', { ecc: 'medium', border: 1 }).slice(1, -1).map((row) => row.slice(1, -1)),
}

// Each module 4 pixels wide, with the quiet zone of 4 modules.
const picture = (matrix) => {
  const size = (matrix.length + 8) * 4
  const data = new Uint8ClampedArray(size * size * 4).fill(255)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dark = matrix[(y >> 2) - 4]?.[(x >> 2) - 4] === '1'
      if (dark) data.fill(0, (y * size + x) * 4, (y * size + x) * 4 + 3)
    }
  }
  return { data, width: size, height: size }
}

const readers = {
  jsqr: ({ data, width, height }) => jsQR.default(data, width, height).data,
  '@zxing/library': ({ data, width, height }) => {
    const grey = new Uint8ClampedArray(width * height).map((_, index) => data[index * 4])
    const bitmap = new zxing.BinaryBitmap(new zxing.HybridBinarizer(new zxing.RGBLuminanceSource(grey, width, height)))
    return new zxing.QRCodeReader().decode(bitmap).getText()
  },
  qr: (image) => decodeQR(image),
}

for await (const line of createInterface({ input: process.stdin })) {
  const input = JSON.parse(line)
  if (input.sort !== 'qr') continue
  const writing = process.argv[2] === 'write'
  for (const [name, run] of Object.entries(writing ? writers : readers)) {
    let output
    try {
      output = writing ? { matrix: run(input.text).map((row) => row.map(Number).join('')) } : { text: run(picture(input.matrix)) }
    } catch (error) {
      output = { refused: String(error.message ?? error).split('\n')[0] }
    }
    const { matrix, ...rest } = input
    const by = { [writing ? 'writer' : 'software']: `${name} ${dependencies[name.split(' ')[0]]}` }
    console.log(JSON.stringify({ ...rest, size: matrix?.length, ...by, ...output }))
  }
}
