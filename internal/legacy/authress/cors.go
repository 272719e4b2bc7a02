package authress

import (
	"net/http"

	"roster/internal/legacy"
)

// Browsers call this API from pages of any origin: the vendor's services let them (facts §1). Tokens travel in a header that a
// page must set itself, never in cookies, so that every origin may ask.

// preflight answers what a browser asks before a request. The headers that it wants to send are granted as it names them.
func preflight(w http.ResponseWriter, r *legacy.Request) {
	h := w.Header()
	headers := r.Header.Get("Access-Control-Request-Headers")
	if headers == "" {
		headers = "Authorization, Content-Type, If-Unmodified-Since"
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, POST, PUT")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
}

// allowOrigin lets pages of any origin read an answer. A request without an Origin is no browser's: its answer stays as it is.
func allowOrigin(w http.ResponseWriter, r *legacy.Request) {
	if r.Header.Get("Origin") != "" {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
}
