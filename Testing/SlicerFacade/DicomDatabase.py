"""slicer.dicomDatabase over files that a test registers."""

import pydicom


class DicomDatabase:
    """Answers as ctkDICOMDatabase: all values are text, several of one element joined by a backslash."""

    def __init__(self):
        self._paths = {}
        self.isOpen = True

    def insert(self, path):
        """Registers a file; returns its SOP instance UID."""
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        self._paths[uid] = str(path)
        return uid

    def fileForInstance(self, uid):
        return self._paths.get(uid, "")

    def instanceForFile(self, path):
        return next((uid for uid, known in self._paths.items() if known == str(path)), "")

    def instanceValue(self, uid, tag):
        """The value of an element "gggg,eeee"; "" when the instance or the element is not there."""
        return self.fileValue(self._paths[uid], tag) if uid in self._paths else ""

    def fileValue(self, path, tag):
        group, element = (int(part, 16) for part in tag.split(","))
        data = pydicom.dcmread(path, stop_before_pixels=True)
        if (group, element) not in data or data[group, element].VR == "SQ":
            return ""
        value = data[group, element].value
        if isinstance(value, (list, pydicom.multival.MultiValue)):
            return "\\".join(str(item) for item in value)
        return "" if value is None else str(value)
