package db

// Key names one row of a table, by the value of a column that no two rows share. The zero Key names none.
type Key struct {
	column, typ string
	folded      bool // the column is compared without regard to case
	value       string
}

// IsZero reports whether the key names no row.
func (k Key) IsZero() bool { return k.column == "" }

// is holds for the row, and for all rows if the key names none.
func (k Key) is() Cond {
	switch {
	case k.IsZero():
		return Cond{}
	case k.folded:
		return cond(k.column+" = "+fold, k.value)
	}
	return cond(k.column+" = ?::"+k.typ, k.value)
}

// isOf is SQL for the row of the key p.key.
func (k Key) isOf() string {
	if k.folded {
		return k.column + ` = lower(p.key) COLLATE "C"`
	}
	return k.column + " = p.key"
}

// only is the condition that a key is, which holds nowhere if it names no row.
func only(k Key) Cond {
	if k.IsZero() {
		return None
	}
	return k.is()
}
