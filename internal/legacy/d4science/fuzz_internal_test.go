package d4science

import (
	"testing"

	"roster/internal/directory"
)

func FuzzForms(f *testing.F) {
	f.Add("X", []byte("--X\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\na\r\n--X--\r\n"))
	f.Add("", []byte("--X\nContent-Disposition: form-data; name=\"accessType\"\n\nREAD_ONLY\n--X--"))
	f.Add("", []byte("group=a&accessType=WRITE_ALL&folderOwner=u&useDefaultStorage=True"))
	f.Add("", []byte("userId=first.last\r\n"))
	f.Add("\x00", []byte("%zz"))
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		for _, parse := range []func() (map[string][]string, error){
			func() (map[string][]string, error) { v, err := parseForm(body); return v, err },
			func() (map[string][]string, error) { v, err := parseMultipart(body, boundary); return v, err },
		} {
			form, err := parse()
			if err == nil {
				var in directory.CreateGroupInput
				if in, err = groupInput(form); err == nil && (in.AccessType == nil || in.Admins == nil) {
					t.Fatalf("%q: %+v", body, in)
				}
			}
			if err != nil && directory.CodeOf(err) != directory.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
		}
	})
}
