package main

// workload is one line of the table: two sides, and what the second shall reach of the first's throughput.
type workload struct {
	name, title string
	target      float64 // the least ratio; 0: none
	most        float64 // the greatest, where the two shall be alike; 0: none
	writes      bool
	sides       func(r requests, bare, roster *server) (a, b *side)
}

// against compares Roster with bare.
func against(f func(r requests) (bare, roster [][]byte)) func(r requests, bare, roster *server) (a, b *side) {
	return func(r requests, bare, roster *server) (a, b *side) {
		x, y := f(r)
		return &side{name: "bare", server: bare, scripts: reads(x)}, &side{name: "Roster", server: roster, scripts: reads(y)}
	}
}

// within compares Roster with itself.
func within(nameA, nameB string, f func(r requests) (a, b [][]byte)) func(r requests, bare, roster *server) (a, b *side) {
	return func(r requests, _, roster *server) (a, b *side) {
		x, y := f(r)
		return &side{name: nameA, server: roster, scripts: reads(x)}, &side{name: nameB, server: roster, scripts: reads(y)}
	}
}

func workloads() []workload {
	return []workload{
		{name: "group", title: "one group by id", target: 0.8, sides: against(requests.oneGroup)},
		{name: "prefix", title: "page of 50, name starts with", target: 0.9, sides: against(requests.byPrefix)},
		{name: "contains", title: "page of 50, name contains", target: 0.9, sides: against(requests.byPart)},
		{name: "people", title: "50 groups, 10 members and 3 admins of each", target: 0.85, sides: against(requests.withPeople)},
		{name: "user", title: "groups of a user, first 50", target: 0.9, sides: against(requests.ofUser)},
		{name: "page", title: "page 1 of all groups", target: 0.75, sides: against(requests.firstPage)},
		{name: "deep", title: "page at 90 % of all groups", target: 0.75, sides: against(requests.deepPage)},
		{name: "depth", title: "page at 90 %, against page 1", target: 1 / 1.2, most: 1.2,
			sides: within("page 1", "page at 90 %", func(r requests) (a, b [][]byte) {
				_, a = r.firstPage()
				_, b = r.deepPage()
				return a, b
			})},
		{name: "total", title: "page with totalCount, against without", target: 0.85,
			sides: within("page", "page with totalCount", func(r requests) (a, b [][]byte) {
				_, a = r.firstPage()
				return a, r.pageAndTotal()
			})},
		{name: "member", title: "add a member, remove a member", target: 0.8, writes: true,
			sides: func(r requests, bare, roster *server) (a, b *side) {
				x, y := r.changes()
				return &side{name: "bare", server: bare, scripts: writes(x)}, &side{name: "Roster", server: roster, scripts: writes(y)}
			}},
		{name: "mix", title: "90 % reads of a group or a page, 10 % members added and removed", target: 0.9, writes: true,
			sides: func(r requests, bare, roster *server) (a, b *side) {
				x, y := r.changes()
				xOne, yOne := r.oneGroup()
				xPage, yPage := r.byPrefix()
				return &side{name: "bare", server: bare, scripts: mixed(xOne, xPage, x)},
					&side{name: "Roster", server: roster, scripts: mixed(yOne, yPage, y)}
			}},
	}
}

// bulk is a line of the table of bulk writes: how many members one call adds, and how much longer than the bare SQL it may take.
type bulk struct {
	name, title string
	members     int
	most        float64
}

func bulks() []bulk {
	return []bulk{
		{"add1000", "add 1,000 members in one call", 1_000, 1.2},
		{"add10000", "add 10,000 members in one call", 10_000, 1.2},
	}
}
