# Debian packages, out of the release archive: make deb leaves them in deb/.
EXTRA_DIST += packaging/debian
.PHONY: deb

deb: dist
	rm -rf deb
	$(MKDIR_P) deb
	tar -C deb -xf $(distdir).tar.xz
	cp $(distdir).tar.xz deb/$(PACKAGE)_$(PACKAGE_VERSION).orig.tar.xz
	cp -R deb/$(distdir)/packaging/debian deb/$(distdir)/debian
	$(edit) deb/$(distdir)/debian/changelog.in > deb/$(distdir)/debian/changelog
	rm deb/$(distdir)/debian/changelog.in
	cd deb/$(distdir) && DEB_BUILD_OPTIONS="nocheck $$DEB_BUILD_OPTIONS" dpkg-buildpackage -us -uc -b

clean-local:
	rm -rf deb
