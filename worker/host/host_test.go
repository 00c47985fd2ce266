package host_test

import (
	"strings"

	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
)

type seen = hostapitest.Seen

func hasLog(s seen, part string) bool {
	for _, l := range s.Logs {
		if strings.Contains(l.Message, part) {
			return true
		}
	}
	return false
}
