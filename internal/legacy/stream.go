package legacy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

const (
	// pieceSize is how much of a list goes out at a time. A list that is shorter goes out whole, with its length.
	pieceSize = 32 << 10
	// counted is the length up to which net/http finds out the length of an answer by itself.
	counted = 2 << 10
)

// piece is a buffer with an encoder that writes into it. Both are used again, for this answer and for others.
type piece struct {
	bytes.Buffer
	encoder *json.Encoder
}

var pieces = sync.Pool{New: func() any {
	p := &piece{}
	p.encoder = json.NewEncoder(p)
	p.encoder.SetEscapeHTML(false) // the old systems wrote < > & as they are
	return p
}}

func newPiece() *piece { return pieces.Get().(*piece) }

// free lets others use the piece. One that a single large value made large is left to the garbage collector, and so is one that was written
// without success: of a stream of HTTP/2 that its client gives up, net/http may write on when it has said so.
func (p *piece) free() {
	if p.Cap() > 2*pieceSize {
		return
	}
	p.Reset()
	pieces.Put(p)
}

// add writes a value, without the newline that the encoder puts behind it.
func (p *piece) add(v any) error {
	if err := p.encoder.Encode(v); err != nil {
		return err
	}
	p.Truncate(p.Len() - 1)
	return nil
}

// measure says how long an answer is that consists of this piece alone.
func (p *piece) measure(h http.Header) {
	if p.Len() > counted {
		h.Set("Content-Length", strconv.Itoa(p.Len()))
	}
}

// Stream writes a JSON array of any length in the memory of one piece. Status and head go out with the first piece, so that an
// error before it is still answered as an error; after an error behind it the answer is broken off.
type Stream struct {
	w           http.ResponseWriter
	contentType string
	head, tail  string
	piece       *piece
	some, sent  bool // elements; pieces
}

// NewStream begins an array that is written as it is read.
func NewStream(w http.ResponseWriter, contentType string) *Stream {
	return &Stream{w: w, contentType: contentType, piece: newPiece()}
}

// Within puts the array into an object: head ends with the array's key and a colon, tail with the object's brace.
func (s *Stream) Within(head, tail string) *Stream {
	s.head, s.tail = head, tail
	return s
}

// Add writes an element. It fails when the client has gone.
func (s *Stream) Add(v any) error {
	s.lead()
	if err := s.piece.add(v); err != nil || s.piece.Len() < pieceSize {
		return err
	}
	if err := s.send(); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// lead writes what stands before an element.
func (s *Stream) lead() {
	if s.some {
		s.piece.WriteByte(',')
		return
	}
	s.some = true
	s.piece.WriteString(s.head)
	s.piece.WriteByte('[')
}

// Close ends the array; one without elements is []. The stream is of no use afterwards.
func (s *Stream) Close() error {
	if !s.some {
		s.lead()
	}
	s.piece.WriteByte(']')
	s.piece.WriteString(s.tail)
	if !s.sent {
		s.piece.measure(s.w.Header())
	}
	err := s.send()
	if err == nil {
		s.piece.free()
	}
	s.piece = nil
	return err
}

// send writes the piece, and begins the next one.
func (s *Stream) send() error {
	if !s.sent {
		s.sent = true
		s.w.Header().Set("Content-Type", s.contentType)
		s.w.WriteHeader(http.StatusOK)
	}
	_, err := s.w.Write(s.piece.Bytes())
	if err != nil {
		s.piece = newPiece()
		return err
	}
	s.piece.Reset()
	return nil
}
