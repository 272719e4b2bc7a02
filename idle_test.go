package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// Connections that wait for their next request cost what net/http keeps of them, two buffers and a stack, and nothing of ours. The
// test is not parallel: it measures the process.
func TestIdleConnections(t *testing.T) {
	const connections = 2_000
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken})
	paths := []string{"/graphql?query=%7Bviewer%7Broles%7D%7D", "/api/web/v1/groups", "/livez"}
	reader := bufio.NewReader(nil)
	talk := func(n int) {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\n\r\n", paths[n%len(paths)], adminToken)
		reader.Reset(conn)
		res, err := http.ReadResponse(reader, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 100 {
		talk(n)
	}
	before := inUse()
	for n := range connections {
		talk(n)
	}
	each := (inUse() - before) / connections
	t.Logf("%d bytes for each connection", each)
	if each > idleBytes {
		t.Errorf("an idle connection holds %d bytes", each)
	}
}

// inUse is what the heap and the stacks hold when garbage is gone.
func inUse() int {
	var m runtime.MemStats
	for range 3 { // stacks shrink by half in each
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
