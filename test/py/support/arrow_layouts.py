"""Source text for scripts that return streams of the Arrow C Data Interface, sound and broken.

The structures are made by ctypes, as a faulty library would make them. `Stream(array(...))` is an
object with `__arrow_c_stream__`; what `array` is given goes into the structures as it is.
"""

PRELUDE = '''
import ctypes, struct

class Schema(ctypes.Structure):
    pass

class Array(ctypes.Structure):
    pass

class StreamStruct(ctypes.Structure):
    pass

RELEASE_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))
RELEASE_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))
RELEASE_STREAM = ctypes.CFUNCTYPE(None, ctypes.POINTER(StreamStruct))
GET_SCHEMA = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(StreamStruct), ctypes.POINTER(Schema))
GET_NEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(StreamStruct), ctypes.POINTER(Array))
LAST_ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(StreamStruct))

Schema._fields_ = [
    ("format", ctypes.c_void_p), ("name", ctypes.c_void_p), ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64), ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private", ctypes.c_void_p),
]
Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.c_void_p),
    ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p), ("private", ctypes.c_void_p),
]
StreamStruct._fields_ = [
    ("get_schema", ctypes.c_void_p), ("get_next", ctypes.c_void_p),
    ("get_last_error", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private", ctypes.c_void_p),
]
alive = []

@RELEASE_SCHEMA
def release_schema(schema):
    schema.contents.release = None

@RELEASE_ARRAY
def release_array(array):
    array.contents.release = None

@RELEASE_STREAM
def release_stream(stream):
    stream.contents.release = None

def address(function):
    return ctypes.cast(function, ctypes.c_void_p).value

def keep(thing):
    alive.append(thing)
    return ctypes.addressof(thing)

def memory(data):
    """The address of bytes; numbers are addresses as they are."""
    if data is None or isinstance(data, int):
        return data
    return keep(ctypes.create_string_buffer(data, max(len(data), 1)))

def pointers(values):
    return keep((ctypes.c_void_p * max(len(values), 1))(*values))

def numbers(code, *values):
    return struct.pack(f"<{len(values)}{code}", *values)

def array(format, length, data=(), parts=(), index_of=None, schema=None, name="x", **fields):
    """Addresses of an ArrowSchema and an ArrowArray; `schema` and fields replace what is right."""
    s, a = Schema(), Array()
    s.format = memory(format.encode() + bytes(1)) if isinstance(format, str) else format
    s.name = memory(name.encode() + bytes(1)) if isinstance(name, str) else name
    s.flags = 2
    s.n_children = a.n_children = len(parts)
    s.children = pointers([part[0] for part in parts])
    a.children = pointers([part[1] for part in parts])
    if index_of is not None:
        s.dictionary, a.dictionary = index_of
    s.release, a.release = address(release_schema), address(release_array)
    a.length, a.null_count, a.offset, a.n_buffers = length, 0, 0, len(data)
    a.buffers = pointers([memory(each) for each in data])
    for key, value in (schema or {}).items():
        setattr(s, key, value)
    for key, value in fields.items():
        setattr(a, key, value)
    return keep(s), keep(a)

def table(*columns, length=2, **fields):
    return array("+s", length, [None], columns, name="", **fields)

class Stream:
    def __init__(self, root, arrays=1, status=0, error=None, **fields):
        @GET_SCHEMA
        def get_schema(stream, out):
            ctypes.memmove(out, root[0], ctypes.sizeof(Schema))
            return status if arrays == 0 else 0
        left = [arrays]
        @GET_NEXT
        def get_next(stream, out):
            ctypes.memset(out, 0, ctypes.sizeof(Array))
            if left[0] <= 0:
                return status
            left[0] -= 1
            ctypes.memmove(out, root[1], ctypes.sizeof(Array))
            return 0
        message = memory(error)
        @LAST_ERROR
        def last_error(stream):
            return message
        self.struct = StreamStruct(address(get_schema), address(get_next), address(last_error),
                                   address(release_stream))
        for key, value in fields.items():
            setattr(self.struct, key, value)
        alive.append((self, get_schema, get_next, last_error, root))

    def __arrow_c_stream__(self, requested_schema=None):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.struct), b"arrow_array_stream", None)

I8 = numbers("q", 1, 2)
TEXTS = [None, numbers("i", 0, 1, 3), b"abb"]

def ints(values=I8, length=2, **fields):
    return array("l", length, [None, values], **fields)

def texts(offsets=(0, 1, 3), data=b"abb", length=2, format="u", **fields):
    width = "i" if format in ("u", "z") else "q"
    return array(format, length, [None, numbers(width, *offsets), data], **fields)

def lists(offsets=(0, 1, 2), child=None, format="+l", **fields):
    width = "q" if format == "+L" else "i"
    children = [child or ints(name="item")]
    return array(format, 2, [None, numbers(width, *offsets)], children, **fields)

def dictionary(codes=(0, 1), format="i", values=None, **fields):
    width = {"i": "i", "c": "b", "l": "q", "L": "Q", "C": "B"}[format]
    indices = numbers(width, *codes)
    return array(format, 2, [None, indices], index_of=values or texts(name=""), **fields)

def views(*values, buffers=(), sizes=None, format="vu", **fields):
    data = b"".join(values)
    sizes = numbers("q", *(sizes if sizes is not None else map(len, buffers)))
    return array(format, len(values), [None, data, *buffers, sizes], **fields)

def short_view(text):
    return struct.pack("<i12s", len(text), text)

def long_view(length, prefix, buffer, offset):
    return struct.pack("<i4sii", length, prefix, buffer, offset)

def union(codes=(0, 1), offsets=(0, 0), format="+ud:0,1", **fields):
    buffers = [bytes(codes)] + ([numbers("i", *offsets)] if "d" in format else [])
    return array(format, 2, buffers, [ints(name="a"), texts(name="b")], **fields)

def runs(ends=(1, 2), values=None, format="i", **fields):
    width = {"s": "h", "i": "i", "l": "q", "u": "i"}[format]
    children = [array(format, len(ends), [None, numbers(width, *ends)], name="run_ends"),
                values or ints(name="values")]
    return array("+r", 2, [], children, **fields)

def metadata(*pairs, count=None):
    data = numbers("i", len(pairs) // 2 if count is None else count)
    for each in pairs:
        data += each if isinstance(each, bytes) else b""
    return memory(data)

def nested(depth):
    column = ints(name="item")
    for _ in range(depth):
        column = array("+s", 2, [None], [column])
    return column
'''

# expression -> values of the column as text; all are read
SOUND = {
    "ints": ("Stream(table(ints()))", ["1", "2"]),
    "an offset": ("Stream(table(ints(numbers('q', 9, 1, 2), offset=1)))", ["1", "2"]),
    "chunks": ("Stream(table(ints()), arrays=2)", ["1", "2", "1", "2"]),
    "no chunk": ("Stream(table(ints()), arrays=0)", []),
    "no rows": ("Stream(table(ints(None, 0), length=0))", []),
    "texts without offsets": (
        "Stream(table(array('u', 0, [None, None, None]), length=0))",
        [],
    ),
    "NULLs": (
        "Stream(table(array('l', 2, [bytes([1]), I8], null_count=-1)))",
        ["1", None],
    ),
    "text": ("Stream(table(texts()))", ["a", "bb"]),
    "garbage under a NULL": (
        r"Stream(table(array('u', 2, [bytes([1]), numbers('i', 0, 1, 2), b'a\xff'],"
        " null_count=1)))",
        ["a", None],
    ),
    "large text": ("Stream(table(texts(format='U')))", ["a", "bb"]),
    "dictionary": ("Stream(table(dictionary()))", ["a", "bb"]),
    "an index under a NULL": (
        "Stream(table(array('i', 2, [bytes([1]), numbers('i', 1, 77)], null_count=1,"
        " index_of=texts(name=''))))",
        ["bb", None],
    ),
    "a NULL name": ("Stream(table(lists(child=ints(schema={'name': None}))))", ["[1]", "[2]"]),
    "metadata": (
        "Stream(table(ints(schema={'metadata': metadata(numbers('i', 1), b'k', count=0)})))",
        ["1", "2"],
    ),
    "list": ("Stream(table(lists()))", ["[1]", "[2]"]),
    "run ends": ("Stream(table(runs()))", ["1", "2"]),
    "dense union": ("Stream(table(union()))", ["1", "a"]),
    "views": (
        "Stream(table(views(short_view(b'ab'), long_view(14, b'long', 0, 1),"
        " buffers=[b'xlong enough to'])))",
        ["ab", "long enough to"],
    ),
}

# expression -> a part of the message; all are refused with 22023
BROKEN = {
    "negative length": ("table(ints(length=-1))", "length"),
    "huge length": ("table(ints(length=1 << 60))", "length"),
    "length beyond the memory": ("table(ints(length=1 << 36), length=1 << 36)", "shorter"),
    "negative offset": ("table(ints(offset=-1))", "offset"),
    "offset that overflows": ("table(ints(offset=(1 << 63) - 1))", "offset"),
    "offset beyond the memory": ("table(ints(offset=1 << 37))", "shorter"),
    "root longer than its columns": ("table(ints(), length=3)", "length of a field"),
    "negative root": ("table(ints(), length=-5)", "length"),
    "no values": ("table(ints(None))", "null pointer"),
    "values at address 8": ("table(ints(8))", "shorter"),
    "too few buffers": ("table(ints(n_buffers=1))", "count of buffers"),
    "too many buffers": ("table(ints(n_buffers=3))", "count of buffers"),
    "negative buffers": ("table(ints(n_buffers=-1))", "count of buffers"),
    "buffers null": ("table(ints(buffers=None))", "buffers"),
    "buffers at address 16": ("table(ints(buffers=16))", "buffers"),
    "NULLs without a bitmap": ("table(ints(null_count=1))", "NULL count"),
    "more NULLs than rows": (
        "table(array('l', 2, [bytes([0]), I8], null_count=3))",
        "NULL count",
    ),
    "NULL count -2": ("table(ints(null_count=-2))", "NULL count"),
    "wrong NULL count": ("table(array('l', 2, [bytes([1]), I8], null_count=2))", "NULL count"),
    "bitmap at address 24": ("table(array('l', 2, [24, I8], null_count=1))", "shorter"),
    "released array": ("table(ints(release=None))", "released"),
    "released schema": ("table(ints(schema={'release': None}))", "released"),
    "children null": ("table(ints(), children=None)", "children"),
    "children at address 32": ("table(ints(), children=32)", "children"),
    "more children": ("table(ints(), n_children=2)", "count of children"),
    "fewer children": ("table(ints(), n_children=0)", "count of children"),
    "negative children": ("table(ints(), n_children=-1)", "count of children"),
    "a child null": ("table(ints(), children=pointers([None]))", "child"),
    "a child at address 40": ("table(ints(), children=pointers([40]))", "child"),
    "schema's children null": ("table(ints(), schema={'children': None})", "children"),
    "schema's children many": ("table(ints(), schema={'n_children': 1 << 40})", "children"),
    "schema's children negative": ("table(ints(), schema={'n_children': -1})", "children"),
    "schema's child at address 48": (
        "table(ints(), schema={'children': pointers([48])})",
        "child",
    ),
    "children of ints": (
        "table(array('l', 2, [None, I8], [ints()]))",
        "count of children",
    ),
    "format null": ("table(ints(schema={'format': None}))", "format"),
    "format at address 56": ("table(ints(schema={'format': 56}))", "format"),
    "format empty": ("table(array('', 2, [None, I8]))", "format"),
    "format unknown": ("table(array('@', 2, [None, I8]))", "format"),
    "format endless": ("table(array('l' * 5000, 2, [None, I8]))", "format"),
    "decimal without precision": ("table(array('d:0,0', 2, [None, bytes(32)]))", "format"),
    "decimal of 7 bits": ("table(array('d:5,1,7', 2, [None, bytes(32)]))", "format"),
    "width overflows": (
        "table(array('w:99999999999999999999', 2, [None, bytes(32)]))",
        "format",
    ),
    "wide values": ("table(array('w:1000000000', 2, [None, bytes(32)]))", "shorter"),
    "name not UTF-8": (r"table(ints(schema={'name': memory(b'a\xff\0')}))", "UTF-8"),
    "name at address 64": ("table(ints(schema={'name': 64}))", "name"),
    "metadata negative": (
        "table(ints(schema={'metadata': metadata(count=-1)}))",
        "metadata",
    ),
    "metadata many": ("table(ints(schema={'metadata': metadata(count=1 << 30)}))", "metadata"),
    "metadata at address 72": ("table(ints(schema={'metadata': 72}))", "metadata"),
    "too deep": ("table(nested(100))", "depth"),
    "descending offsets": ("table(texts((0, 3, 1)))", "offset"),
    "negative first offset": ("table(texts((-5, 1, 3)))", "offset"),
    "negative last offset": ("table(texts((0, 1, -3)))", "offset"),
    "large offsets": ("table(texts((0, 1, 1 << 60), format='U'))", "shorter"),
    "offsets null": ("table(array('u', 2, [None, None, b'abb']))", "null pointer"),
    "texts null": ("table(texts(data=None))", "null pointer"),
    "text not UTF-8": (r"table(texts(data=b'a\xffb'))", "UTF-8"),
    "text cut in a character": ("table(texts(data='a\u20ac'.encode()[:3]))", "UTF-8"),
    "list beyond its values": ("table(lists((0, 1, 3)))", "offset of a list"),
    "list descending": ("table(lists((0, 2, 1)))", "offset"),
    "large list beyond": ("table(lists((0, 1, 1 << 50), format='+L'))", "offset of a list"),
    "fixed list beyond": (
        "table(array('+w:2', 2, [None], [ints(name='item')]))",
        "length of a list",
    ),
    "fixed list overflow": (
        "table(array('+w:1000000000', 2, [None], [ints(name='item')]))",
        "length of a list",
    ),
    "list view beyond": (
        "table(array('+vl', 2, [None, numbers('i', 0, 1), numbers('i', 1, 2)],"
        " [ints(name='item')]))",
        "offset of a list",
    ),
    "list view negative": (
        "table(array('+vl', 2, [None, numbers('i', 0, -1), numbers('i', 1, 1)],"
        " [ints(name='item')]))",
        "offset of a list",
    ),
    "struct shorter": (
        "table(array('+s', 2, [None], [ints(I8, 1)]))",
        "length of a field",
    ),
    "map of ints": ("table(lists(format='+m'))", "map"),
    "map with a NULL key": (
        "table(array('+m', 2, [None, numbers('i', 0, 1, 2)], [array('+s', 2, [None],"
        " [array('l', 2, [bytes([1]), I8], null_count=1), ints()])]))",
        "NULL in a map",
    ),
    "index beyond": ("table(dictionary((0, 2)))", "index"),
    "index negative": ("table(dictionary((0, -1)))", "index"),
    "index huge": ("table(dictionary((0, (1 << 64) - 1), format='L'))", "index"),
    "index of floats": (
        "table(array('g', 2, [None, I8], index_of=texts(name='')))",
        "indices",
    ),
    "dictionary missing": ("table(dictionary(dictionary=None))", "dictionary"),
    "dictionary of an array alone": (
        "table(array('i', 2, [None, numbers('i', 0, 1)], index_of=(None, texts()[1])))",
        "dictionary",
    ),
    "dictionary of broken texts": (
        "table(dictionary(values=texts((0, 9, 3), name='')))",
        "offset",
    ),
    "type code unknown": ("table(union((0, 5)))", "type code"),
    "type code negative": ("table(union((0, 255)))", "type code"),
    "union offset beyond": ("table(union(offsets=(0, 9)))", "offset of a union"),
    "union offset negative": ("table(union(offsets=(-1, 0)))", "offset of a union"),
    "type codes twice": ("table(union(format='+us:1,1'))", "format"),
    "sparse union shorter": (
        "table(array('+us:0', 2, [bytes(2)], [ints(I8, 1)]))",
        "length of a union",
    ),
    "union with NULLs": ("table(union(null_count=1))", "NULL count"),
    "run ends short": ("table(runs((1,), ints(I8, 1, name='values')))", "last run end"),
    "run ends descending": ("table(runs((2, 1)))", "run end"),
    "run ends zero": ("table(runs((0, 2)))", "run end"),
    "run ends negative": ("table(runs((-1, 2)))", "run end"),
    "run ends of texts": (
        "table(array('+r', 2, [], [texts(name='run_ends'), ints(name='values')]))",
        "type of run ends",
    ),
    "runs without values": ("table(runs((1, 2), ints(I8, 1, name='values')))", "values of runs"),
    "view beyond": (
        "table(views(long_view(20, b'long', 0, 1), buffers=[b'xlong enough to']), length=1)",
        "offset of a view",
    ),
    "view of no buffer": (
        "table(views(long_view(13, b'long', 1, 0), buffers=[b'xlong enough to']), length=1)",
        "buffer of a view",
    ),
    "view negative": (
        "table(views(long_view(-1, b'long', 0, 0), buffers=[b'long']), length=1)",
        "length of a view",
    ),
    "view negative offset": (
        "table(views(long_view(13, b'long', 0, -1), buffers=[b'xlong enough to']), length=1)",
        "offset of a view",
    ),
    "view with another prefix": (
        "table(views(long_view(14, b'none', 0, 1), buffers=[b'xlong enough to']), length=1)",
        "prefix",
    ),
    "view sizes negative": (
        "table(views(short_view(b'a'), buffers=[b'abc'], sizes=[-1]), length=1)",
        "length",
    ),
    "view sizes huge": (
        "table(views(short_view(b'a'), buffers=[b'abc'], sizes=[1 << 60]), length=1)",
        "shorter",
    ),
    "view not UTF-8": (r"table(views(short_view(b'\xff')), length=1)", "UTF-8"),
}
