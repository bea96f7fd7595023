"""QR codes by Python packages and by Debian's tools, as JSON lines.

`write`: texts in, matrices out. `read`: matrices in, what each reader makes of them out.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from importlib.metadata import version

import cv2
import numpy
import PIL.Image
import qrcode
import segno
import zxingcpp


def by_qrcode(text):
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=0)
    code.add_data(text)
    code.make(fit=True)
    return code.get_matrix()


def by_qrencode(text):
    command = ["qrencode", "--type=ASCIIi", "--level=M", "--margin=0", "--output=-", text]
    out = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    # Two characters a module; "i" has dark and light the other way round.
    return [[row[at] != "#" for at in range(0, len(row), 2)] for row in out.splitlines()]


WRITERS = {
    f"segno {version('segno')}": lambda text: segno.make_qr(text, error="m", boost_error=False).matrix,
    f"qrcode.py {version('qrcode')}": by_qrcode,
    "qrencode 4.1.1": by_qrencode,
}


def zbarimg(*options):
    def run(picture):
        with tempfile.TemporaryDirectory() as folder:
            PIL.Image.fromarray(picture).save(pathlib.Path(folder, "code.png"))
            command = ["zbarimg", "--quiet", *options, "code.png"]
            return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout.decode()

    return run


READERS = {
    f"zxing-cpp {version('zxing-cpp')}": lambda picture: zxingcpp.read_barcodes(picture)[0].text,
    f"opencv {version('opencv-python-headless')}": lambda picture: cv2.QRCodeDetector().detectAndDecode(picture)[0],
    "zbarimg 0.23.92": zbarimg(),
    "zbarimg 0.23.92 --raw": zbarimg("--raw"),
    "zbarimg 0.23.92 --xml": zbarimg("--xml"),
}


def picture(matrix):
    """Each module 4 pixels wide, with the quiet zone of 4 modules."""
    dark = numpy.pad(numpy.array([[int(module) for module in row] for row in matrix], dtype=numpy.uint8), 4)
    return numpy.kron(255 * (1 - dark), numpy.ones((4, 4), dtype=numpy.uint8))


writing = sys.argv[1] == "write"
for given in map(json.loads, sys.stdin):
    if given["sort"] != "qr":
        continue
    matrix = given.pop("matrix", None)
    for name, run in (WRITERS if writing else READERS).items():
        try:
            if writing:
                output = {"writer": name, "matrix": ["".join(str(int(module)) for module in row) for row in run(given["text"])]}
            else:
                output = {"software": name, "size": len(matrix), "text": run(picture(matrix))}
        except Exception as error:
            output = {"writer" if writing else "software": name, "refused": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps({**given, **output}))
