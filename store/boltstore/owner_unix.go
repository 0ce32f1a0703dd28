//go:build unix && !aix && !solaris

package boltstore

import (
	"fmt"
	"os"
	"syscall"
)

// giveAway gives the file at path the mode and the owner of another, so that whoever
// could use that one can use this one: root may compact what a service works on.
func giveAway(path string, like os.FileInfo) error {
	mine, err := os.Stat(path)
	if err != nil {
		return err
	}
	is, ok := mine.Sys().(*syscall.Stat_t)
	should, also := like.Sys().(*syscall.Stat_t)
	if ok && also && (is.Uid != should.Uid || is.Gid != should.Gid) {
		if err := os.Chown(path, int(should.Uid), int(should.Gid)); err != nil {
			return fmt.Errorf("giving the new file the owner of the old one: run this as that user, or as root: %w", err)
		}
	}
	return os.Chmod(path, like.Mode().Perm())
}
