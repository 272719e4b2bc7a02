package directory

import "time"

// FeedState is how the feed of changes stands, for who watches over it.
type FeedState struct {
	Streams          int           // that are open
	Lag              time.Duration // since the log was last read to its end; 0 while nobody reads it
	Waiting, Longest int           // changes that streams have not taken yet: of all, and of the one that is furthest behind
	Errors           int           // how often the log could not be read
}

// FeedState looks at the feed, without asking Postgres.
func (s *Service) FeedState() FeedState {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	now := FeedState{Streams: len(f.streams), Errors: f.errors}
	if now.Streams > 0 {
		now.Lag = time.Since(f.caught)
	}
	for st := range f.streams {
		n := st.waiting()
		now.Waiting += n
		now.Longest = max(now.Longest, n)
	}
	return now
}

// waiting is how many changes the stream has not taken yet.
func (st *Stream) waiting() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.queue)
}

func (f *feed) caughtUp() {
	f.mu.Lock()
	f.caught = time.Now()
	f.mu.Unlock()
}

func (f *feed) failed() {
	f.mu.Lock()
	f.errors++
	f.mu.Unlock()
}
