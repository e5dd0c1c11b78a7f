"""What nets are trained on."""

from zoo.tasks.image_tasks import TASKS, ImageTask
from zoo.tasks.images import Images, ImageSet

__all__ = ["TASKS", "ImageSet", "ImageTask", "Images"]
