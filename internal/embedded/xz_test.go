package embedded

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// xz wraps data in the xz format without compressing it, so that the tests need no program to do it.
// The format: https://tukaani.org/xz/xz-file-format.txt; its checks are all CRC-32.
func xz(data []byte) []byte {
	flags := []byte{0, 1} // the check of the data is CRC-32
	out := append([]byte("\xfd7zXZ\x00"), withCRC(flags)...)

	start := len(out)
	// 12 bytes of header; one filter: LZMA2, of which it says how large a dictionary it wants.
	out = append(out, withCRC([]byte{2, 0, 0x21, 1, 0x16, 0, 0, 0})...)
	const chunk = 1 << 16
	control := byte(1) // stored, and forget what was before; 2: stored
	for rest := data; len(rest) > 0; control = 2 {
		n := min(len(rest), chunk)
		out = append(out, control)
		out = binary.BigEndian.AppendUint16(out, uint16(n-1))
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	out = append(out, 0)
	size := len(out) - start + crc32.Size
	out = pad(out, start)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(data))

	index := binary.AppendUvarint([]byte{0, 1}, uint64(size))
	index = withCRC(pad(binary.AppendUvarint(index, uint64(len(data))), 0))
	out = append(out, index...)

	footer := append(binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1)), flags...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(footer))
	return append(append(out, footer...), 'Y', 'Z')
}

func withCRC(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(b), crc32.ChecksumIEEE(b))
}

// pad fills up to a multiple of four bytes, counted from start.
func pad(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
